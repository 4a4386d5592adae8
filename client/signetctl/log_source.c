/*
 * Entries from the daemon, and what every source has in common.
 *
 * Invariant: a caller sees each entry once and in order, wherever it comes
 * from, and a source that stops early says so.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"

const json_t *
log_members(struct log_entry *e)
{
	if (e->read == NULL)
		e->read = json_loadb(e->text, e->size, JSON_REJECT_DUPLICATES, NULL);
	if (e->read == NULL)
		e->read = json_object();
	return e->read;
}

const char *
log_text(struct log_entry *e, const char *name)
{
	return json_string_value(json_object_get(log_members(e), name));
}

bool
log_number(struct log_entry *e, const char *name, int64_t *out)
{
	const json_t *value = json_object_get(log_members(e), name);

	*out = json_integer_value(value);
	return json_is_integer(value);
}

const char *
log_opening(struct log_entry *e, const char *field)
{
	const json_t *list = json_object_get(log_wire(e), "openings"), *o;
	const char *name;
	size_t i;

	json_array_foreach(list, i, o)
	{
		name = json_string_value(json_object_get(o, "field"));
		if (name != NULL && strcmp(name, field) == 0)
			return json_string_value(json_object_get(o, "text"));
	}
	return NULL;
}

json_t *
log_entry_json(struct log_entry *e)
{
	json_t *object = json_pack("{s:s}", "log", e->log);

	if (object == NULL)
		abort();
	if (log_wire(e) != NULL)
		(void)json_object_update(object, (json_t *)log_wire(e));
	else
		(void)json_object_update_new(object,
		    json_pack("{s:I, s:s%}", "index", (json_int_t)e->index, "entry", e->text, e->size));
	return object;
}

void
log_head_done(struct log_head *h)
{
	free(h->origin);
	free(h->checkpoint);
	free(h->key);
	free(h->root);
	json_decref(h->keys);
	memset(h, 0, sizeof(*h));
}

static bool
keep_reply(void *arg, const char *json, size_t size, bool continues)
{
	json_t **reply = arg;

	(void)continues;
	json_decref(*reply);
	*reply = json_loadb(json, size, 0, NULL);
	return true;
}

static char *
copy_member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));
	char *copy = strdup(text == NULL ? "" : text);

	if (copy == NULL)
		abort();
	return copy;
}

static signet_err
ask_head(struct ctl *c, struct log_head *h)
{
	json_t *reply = NULL;
	signet_err err;

	err = signet_call(c->conn, "org.signetd.Log.Head", NULL, NULL, 0, keep_reply, &reply);
	if (err != SIGNET_OK)
		return err;
	h->origin = copy_member(reply, "origin");
	h->checkpoint = copy_member(reply, "checkpoint");
	h->key = copy_member(reply, "key");
	h->root = copy_member(reply, "rootHash");
	h->size = (uint64_t)json_integer_value(json_object_get(reply, "size"));
	h->keys = json_incref(json_object_get(reply, "keys"));
	json_decref(reply);
	return SIGNET_OK;
}

int
log_head(struct ctl *c, struct log_head *h)
{
	signet_err err;
	int code;

	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	err = ask_head(c, h);
	return err == SIGNET_OK ? CTL_OK : fail_call(c, err);
}

struct reading {
	const struct log_query *q;
	const char *origin;
	log_entry_fn *fn;
	void *arg;
	uint64_t next, seen;
	bool stopped, nonsense;
	struct log_scanned scanned;
};

static void
hand_entry(struct reading *r, struct log_entry *e)
{
	if (e->text == NULL || e->index < r->next) {
		r->nonsense = true;
	} else {
		r->next = e->index + 1;
		r->seen++;
		r->stopped = !r->fn(r->arg, e);
	}
	if (r->q->progress)
		log_progress(r->next, r->q->total);
	log_entry_done(e);
}

/* {"entry": {...}}, at the end {"entry": null}. */
static bool
take_tree(struct reading *r, const char *json, size_t size)
{
	json_t *reply = json_loadb(json, size, 0, NULL);
	const json_t *wire = json_object_get(reply, "entry"), *text = json_object_get(wire, "entry");
	struct log_entry e = {.log = r->origin, .wire = wire, .text = json_string_value(text)};
	char *bytes;

	if (wire != NULL && !json_is_null(wire)) {
		e.size = json_string_length(text);
		bytes = log_stored_bytes(wire, &e.size);
		if (bytes != NULL)
			e.text = bytes;
		e.index = (uint64_t)json_integer_value(json_object_get(wire, "index"));
		hand_entry(r, &e);
		free(bytes);
	}
	json_decref(reply);
	return !r->stopped && !r->nonsense;
}

static bool
take_reply(void *arg, const char *json, size_t size, bool continues)
{
	struct reading *r = arg;
	struct log_entry e = {.log = r->origin, .scanned = &r->scanned};

	(void)continues;
	if (!log_scan(&r->scanned, json, size))
		return take_tree(r, json, size);
	e.index = r->scanned.index;
	e.text = r->scanned.entry;
	e.size = r->scanned.entry_size;
	hand_entry(r, &e);
	return !r->stopped && !r->nonsense;
}

static char *
read_parameters(const struct log_query *q, const json_t *filter, const struct reading *r)
{
	json_t *p = json_pack("{s:I}", "from", (json_int_t)r->next);
	char *text;

	if (p == NULL)
		abort();
	if (q->limit > 0)
		(void)json_object_set_new(p, "limit", json_integer((json_int_t)(q->limit - r->seen)));
	if (filter != NULL)
		(void)json_object_set(p, "filter", (json_t *)filter);
	if (q->own)
		(void)json_object_set_new(p, "own", json_true());
	if (q->follow)
		(void)json_object_set_new(p, "follow", json_true());
	if (q->titles)
		(void)json_object_set_new(p, "titles", json_true());
	if (q->hashes)
		(void)json_object_set_new(p, "hashes", json_true());
	text = json_dumps(p, JSON_COMPACT);
	json_decref(p);
	if (text == NULL)
		abort();
	return text;
}

static int
read_once(struct ctl *c, const json_t *filter, struct reading *r, signet_err *err)
{
	char *parameters;
	int code;

	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	(void)signet_set_timeout(c->conn, SIGNET_TIMEOUT_MAX_MS);
	parameters = read_parameters(r->q, filter, r);
	*err =
	    signet_call(c->conn, "org.signetd.Log.Read", parameters, NULL, SIGNET_CALL_MORE, take_reply, r);
	free(parameters);
	return CTL_OK;
}

static int
keep_failure(const struct ctl *c, struct log_failure *failure, signet_err err)
{
	failure->err = err;
	(void)snprintf(failure->message, sizeof(failure->message), "%s", signet_error_message(c->conn));
	return exit_for(err);
}

static int
read_daemon(struct ctl *c, const struct log_query *q, const json_t *filter, log_entry_fn *fn, void *arg)
{
	struct log_head head = {0};
	struct reading r = {.q = q, .fn = fn, .arg = arg, .next = q->from};
	signet_err err = SIGNET_OK;
	int code;

	code = ctl_connect(c);
	if (code != CTL_OK)
		return code;
	/* for its name alone: entries can also be read where there is no checkpoint yet */
	r.origin = ask_head(c, &head) == SIGNET_OK ? head.origin : "";
	while (code == CTL_OK) {
		code = read_once(c, filter, &r, &err);
		/* a log in which nothing happens for ten minutes is followed further */
		if (code != CTL_OK || err != SIGNET_ERR_TIMEOUT || !q->follow ||
		    signet_error_name(c->conn)[0] != '\0')
			break;
		signet_close(c->conn);
		c->conn = NULL;
	}
	if (q->progress)
		log_progress_end();
	if (code == CTL_OK && err != SIGNET_OK)
		code = q->failure != NULL ? keep_failure(c, q->failure, err) : fail_call(c, err);
	else if (code == CTL_OK && r.nonsense)
		code = fail_text(CTL_FAILED, _("what the daemon hands out as entry %llu is not in order"),
		    (unsigned long long)r.next);
	if (r.stopped || r.nonsense) { /* replies are still to come: that connection is dead */
		signet_close(c->conn);
		c->conn = NULL;
	}
	log_head_done(&head);
	log_scan_done(&r.scanned);
	return code;
}

/* --- several filters: what any of them finds, in order --- */

struct gathering {
	json_t *list;
	char *origin;
};

static bool
gather(void *arg, struct log_entry *e)
{
	struct gathering *g = arg;

	if (g->origin == NULL)
		g->origin = strdup(e->log);
	if (json_array_append(g->list, (json_t *)log_wire(e)) != 0)
		abort();
	return true;
}

static json_int_t
index_of(const json_t *wire)
{
	return json_integer_value(json_object_get(wire, "index"));
}

static int
by_index(const void *a, const void *b)
{
	json_int_t x = index_of(*(json_t *const *)a), y = index_of(*(json_t *const *)b);

	return x < y ? -1 : x > y;
}

static void
hand_over(const struct gathering *g, log_entry_fn *fn, void *arg)
{
	size_t n = json_array_size(g->list);
	json_t **sorted = calloc(n + 1, sizeof(json_t *));
	bool go_on = true;

	if (sorted == NULL)
		abort();
	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(g->list, i);
	qsort(sorted, n, sizeof(json_t *), by_index);
	for (size_t i = 0; i < n && go_on; i++) {
		const json_t *text = json_object_get(sorted[i], "entry");
		struct log_entry e = {.log = g->origin, .wire = sorted[i], .text = json_string_value(text)};

		if (i > 0 && index_of(sorted[i]) == index_of(sorted[i - 1]))
			continue;
		e.size = json_string_length(text);
		e.index = (uint64_t)index_of(sorted[i]);
		go_on = fn(arg, &e);
		log_entry_done(&e);
	}
	free(sorted);
}

static int
read_any(struct ctl *c, const struct log_query *q, log_entry_fn *fn, void *arg)
{
	struct gathering g = {.list = json_array()};
	int code = CTL_OK;

	for (size_t i = 0; i < q->filter_count && code == CTL_OK; i++)
		code = read_daemon(c, q, q->filter[i], gather, &g);
	if (code == CTL_OK)
		hand_over(&g, fn, arg);
	json_decref(g.list);
	free(g.origin);
	return code;
}

static int
read_copies(struct ctl *c, const struct log_query *q, log_entry_fn *fn, void *arg)
{
	int code = CTL_OK, one;

	for (int i = 0; i < c->copy_count; i++) {
		struct log_copy copy = {0};

		one = log_copy_read(c, c->copies[i], q, NULL, fn, arg, &copy);
		if (one != CTL_OK)
			code = one;
		log_copy_done(&copy);
	}
	return code;
}

int
log_read(struct ctl *c, const struct log_query *q, log_entry_fn *fn, void *arg)
{
	if (c->copy_count > 0)
		return read_copies(c, q, fn, arg);
	if (q->filter_count > 1)
		return read_any(c, q, fn, arg);
	return read_daemon(c, q, q->filter_count == 1 ? q->filter[0] : NULL, fn, arg);
}

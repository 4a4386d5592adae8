/* signetctl log show, search, follow, head: entries on the screen. */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "log_out.h"

enum { NEWEST = 20, NEWEST_MAX = 10000 };

/* A listing: lines for people, or one array of JSON. */
struct listing {
	bool json, several, details;
	uint64_t count;
};

static bool
show_entry(void *arg, struct log_entry *e)
{
	struct listing *l = arg;

	if (l->json) {
		json_t *object = log_entry_json(e);

		fputs(l->count == 0 ? "[\n" : ",\n", stdout);
		(void)json_dumpf(object, stdout, JSON_COMPACT);
		json_decref(object);
	} else if (l->details) {
		log_print_details(e);
	} else {
		if (l->count == 0)
			log_print_heading(l->several);
		log_print_line(e, l->several);
	}
	l->count++;
	(void)fflush(stdout); /* entries may be minutes apart */
	return !ferror(stdout);
}

static void
listing_begin(struct listing *l, const struct ctl *c)
{
	*l = (struct listing){.json = given(c, OPT_JSON), .several = c->copy_count > 1};
}

static void
listing_end(const struct listing *l)
{
	if (l->json)
		puts(l->count == 0 ? "[]" : "\n]");
}

/* For each of the copies, or once for the daemon. */
static int
for_each_log(struct ctl *c, int (*one)(struct ctl *c, void *arg), void *arg)
{
	const char **copies = c->copies;
	int count = c->copy_count, code = CTL_OK, last;

	if (count == 0)
		return one(c, arg);
	for (int i = 0; i < count; i++) {
		c->copies = copies + i;
		c->copy_count = 1;
		last = one(c, arg);
		code = last == CTL_OK ? code : last;
	}
	c->copies = copies;
	c->copy_count = count;
	return code;
}

static bool
count_entry(void *arg, struct log_entry *e)
{
	uint64_t *size = arg;

	*size = e->index + 1;
	return true;
}

/* How many entries there are. */
static int
log_size(struct ctl *c, uint64_t *size)
{
	struct log_query q = {.believe = true};
	struct log_copy copy = {0};
	struct log_head head = {0};
	int code;

	if (c->copy_count > 0 && !log_is_folder(c->copies[0])) {
		*size = 0;
		code = log_copy_read(c, c->copies[0], &q, NULL, count_entry, size, &copy);
		log_copy_done(&copy);
		return code;
	}
	if (c->copy_count > 0) {
		code = log_copy_head(c->copies[0], &head);
	} else {
		code = log_head(c, &head);
	}
	*size = head.size;
	log_head_done(&head);
	return code;
}

/* The last ones that come: more may be logged than were counted. */
struct tail {
	struct log_entry *ring;
	size_t room;
	uint64_t count;
};

static void
forget_entry(struct log_entry *e)
{
	free((char *)e->log);
	free((char *)e->text);
	json_decref((json_t *)e->wire);
	log_entry_done(e);
}

static bool
keep_last(void *arg, struct log_entry *e)
{
	struct tail *t = arg;
	struct log_entry *kept = &t->ring[t->count++ % t->room];

	forget_entry(kept);
	*kept = (struct log_entry){.log = strdup(e->log),
	    .index = e->index,
	    .text = strndup(e->text, e->size),
	    .size = e->size,
	    .wire = json_incref((json_t *)log_wire(e)),
	    .foreign = e->foreign};
	if (kept->log == NULL || kept->text == NULL)
		abort();
	return true;
}

static int
show_newest(struct ctl *c, void *arg)
{
	struct log_query q = {.titles = true};
	unsigned long limit = NEWEST;
	struct tail t = {0};
	uint64_t size = 0;
	int code;

	if (!option_number(c, OPT_LIMIT, 1, NEWEST_MAX, &limit))
		return CTL_USAGE;
	code = log_size(c, &size);
	if (code != CTL_OK)
		return code;
	t.room = limit;
	t.ring = calloc(t.room, sizeof(*t.ring));
	if (t.ring == NULL)
		abort();
	q.from = size > limit ? size - limit : 0;
	code = log_read(c, &q, keep_last, &t);
	for (size_t i = 0; i < t.room; i++) {
		struct log_entry *e = &t.ring[(t.count + i) % t.room];

		if (e->text != NULL)
			(void)show_entry(arg, e);
		forget_entry(e);
	}
	free(t.ring);
	return code;
}

/* One entry of a folder comes with its proof: there is no need to read the rest. */
static int
show_from_folder(struct ctl *c, uint64_t index, struct listing *l)
{
	struct log_head head = {0};
	struct log_entry e = {.index = index, .foreign = true};
	char *vkey, *entry, *proof;
	signet_err err;
	int code;

	code = log_vkey(c, &vkey);
	if (code != CTL_OK)
		return code;
	code = log_copy_head(c->copies[0], &head);
	err = code != CTL_OK
		  ? SIGNET_OK
		  : signet_log_prove_from_folder(c->copies[0], vkey, index, &entry, &e.size, &proof);
	if (code == CTL_OK && err == SIGNET_OK) {
		e.log = head.origin;
		e.text = entry;
		(void)show_entry(l, &e);
		json_decref(e.read);
		free(entry);
		free(proof);
	} else if (code == CTL_OK) {
		code = fail_text(exit_for(err), "%s: %s", c->copies[0], signet_error_message(NULL));
	}
	log_head_done(&head);
	free(vkey);
	return code;
}

struct one {
	uint64_t index;
	struct listing *l;
	bool found;
};

static bool
show_if_it(void *arg, struct log_entry *e)
{
	struct one *one = arg;

	one->found = e->index == one->index;
	if (one->found)
		(void)show_entry(one->l, e);
	return true;
}

static int
show_one(struct ctl *c, void *arg)
{
	struct one *one = arg;
	struct log_query q = {.from = one->index, .limit = 1, .titles = true, .hashes = true};
	int code;

	if (c->copy_count > 0 && log_is_folder(c->copies[0]))
		return show_from_folder(c, one->index, one->l);
	one->found = false;
	code = log_read(c, &q, show_if_it, one);
	if (code == CTL_OK && !one->found)
		code = fail_text(CTL_REFUSED, _("there is no entry %llu that you may read"),
		    (unsigned long long)one->index);
	return code;
}

bool
log_index_read(const char *text, uint64_t *index)
{
	char *end;

	*index = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && *index < INT64_MAX;
}

int
verb_log_show(struct ctl *c)
{
	struct log_query q = {0};
	struct listing l;
	struct one one = {.l = &l};
	int code;

	listing_begin(&l, c);
	if (c->arg_count > 0 && !log_index_read(c->args[0], &one.index))
		return fail_text(CTL_USAGE, _("\"%s\" is no number of an entry"), c->args[0]);
	if (c->arg_count > 0) {
		l.details = true;
		code = for_each_log(c, show_one, &one);
	} else if (given(c, OPT_FROM)) {
		code = log_query_read(c, &q);
		q.titles = true;
		if (code == CTL_OK)
			code = log_read(c, &q, show_entry, &l);
		log_query_done(&q);
	} else {
		code = for_each_log(c, show_newest, &l);
	}
	listing_end(&l);
	return code;
}

static int
list_query(struct ctl *c, bool own, bool follow)
{
	struct log_query q = {.own = own, .follow = follow};
	struct listing l;
	int code;

	listing_begin(&l, c);
	code = log_query_read(c, &q);
	q.titles = true;
	if (code == CTL_OK) {
		code = log_read(c, &q, show_entry, &l);
		listing_end(&l);
		if (code == CTL_OK && l.count == 0 && !l.json)
			code = fail_text(CTL_REFUSED, _("no entry was found that you may read"));
	}
	log_query_done(&q);
	return code;
}

int
verb_log_search(struct ctl *c)
{
	return list_query(c, false, false);
}

int
verb_mine(struct ctl *c)
{
	return list_query(c, true, false);
}

/* From now on: what is there already is not shown unless --from says so. */
int
verb_log_follow(struct ctl *c)
{
	struct log_query q = {.follow = true};
	struct listing l;
	int code;

	if (given(c, OPT_JSON))
		return fail_text(CTL_USAGE, _("log follow has no end, so it cannot be one JSON document"));
	listing_begin(&l, c);
	code = log_query_read(c, &q);
	q.titles = true;
	if (code == CTL_OK && !given(c, OPT_FROM))
		code = log_size(c, &q.from);
	if (code == CTL_OK)
		code = log_read(c, &q, show_entry, &l);
	log_query_done(&q);
	return code;
}

static int
save_checkpoint(struct ctl *c, const char *note)
{
	struct log_out out;
	int code;

	code = log_out_open(&out, c);
	if (code != CTL_OK)
		return code;
	fputs(note, out.f);
	return log_out_close(&out, CTL_OK);
}

static int
print_head(const struct log_head *h, const char *vkey)
{
	char fingerprint[2 * SIGNET_LOG_HASH + 1];
	const char *key = vkey != NULL ? vkey : h->key;

	print_padded(stdout, _("log"), 24);
	print_safe(stdout, h->origin);
	putchar('\n');
	print_padded(stdout, _("signed entries"), 24);
	printf("%llu\n", (unsigned long long)h->size);
	if (signet_log_key(key, NULL, fingerprint) == SIGNET_OK) {
		print_padded(stdout, _("verifier key"), 24);
		print_safe(stdout, key);
		putchar('\n');
		print_padded(stdout, _("its fingerprint"), 24);
		puts(fingerprint);
	}
	return CTL_OK;
}

static int
head_json(const struct log_head *h)
{
	json_t *object = json_pack("{s:s, s:I, s:s, s:s, s:s, s:O*}", "origin", h->origin, "size",
	    (json_int_t)h->size, "rootHash", h->root, "checkpoint", h->checkpoint, "key", h->key, "keys", h->keys);
	int code = print_json(object);

	json_decref(object);
	return code;
}

/* The newest checkpoint, for who wants to remember it; and the key, for the record. */
int
verb_log_head(struct ctl *c)
{
	struct log_head head = {0};
	signet_checkpoint says;
	char *vkey = NULL;
	int code;

	if (c->copy_count > 1)
		return fail_text(CTL_USAGE, _("one copy at a time"));
	code = log_vkey(c, &vkey);
	if (code == CTL_OK)
		code = c->copy_count > 0 ? log_copy_head(c->copies[0], &head) : log_head(c, &head);
	if (code == CTL_OK &&
	    signet_log_checkpoint(head.checkpoint, strlen(head.checkpoint),
		vkey != NULL ? vkey : (head.key[0] != '\0' ? head.key : NULL), &says) != SIGNET_OK)
		code = fail_text(CTL_FAILED, "%s", signet_error_message(NULL));
	if (code == CTL_OK && given(c, OPT_OUT))
		code = save_checkpoint(c, head.checkpoint);
	else if (code == CTL_OK && given(c, OPT_JSON))
		code = head_json(&head);
	else if (code == CTL_OK)
		code = print_head(&head, vkey);
	log_head_done(&head);
	free(vkey);
	return code;
}

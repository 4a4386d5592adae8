/*
 * Time-stamps of our own.
 *
 * A serial number is never given twice: 88 random bits that are drawn when the
 * daemon starts, and a count within this run. So it needs no state that could
 * be lost, restored from a copy or rolled back with the log. It stands in the
 * claim, which is durable before the key is touched, and so before anybody sees
 * the token [RFC 3161, 2.4.2].
 *
 * A stamp says what the clock says, so the clock must be known to be right: the
 * kernel says "synchronised", and nobody has set it lately. A step shows as a
 * jump between the clock of the day and the one that counts since boot, which
 * NTP slews alike.
 */
#include "stamp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "broker.h"
#include "clock.h"
#include "entry.h"
#include "journal.h"

static struct {
	bool known;
	int64_t offset_us; /* of the day's clock to that since boot */
	int64_t stepped_us; /* since boot, when the last step was seen; 0: never */
} watch;

static int64_t
since_boot_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void
log_step(struct broker *b, int64_t by_us)
{
	struct entry *e = entry_new(b, "clock", NULL);
	char text[64];

	snprintf(text, sizeof(text), "stepped by %lld ms", (long long)(by_us / 1000));
	say_warning("the clock was set: %s", text);
	if (e == NULL)
		return;
	entry_str(e, "detail", text);
	entry_append(e);
}

void
stamp_watch_clock(struct broker *b)
{
	int64_t boot = since_boot_us(), offset = clock_now_us(NULL) - boot;
	int64_t by = offset - watch.offset_us;

	if (watch.known && (by > STAMP_STEP_US || by < -STAMP_STEP_US)) {
		watch.stepped_us = boot;
		log_step(b, by);
	}
	watch.known = true;
	watch.offset_us = offset;
}

static bool
clock_is_right(struct broker *b, const struct config_timestamp *source, struct fault *f)
{
	const char *state = clock_state(NULL);

	stamp_watch_clock(b);
	if (source->any_clock)
		return true;
	if (strcmp(state, "synchronised") != 0) {
		fault_set(f, SIGNET_ERR_CLOCK_UNSYNCHRONIZED, NULL, "the clock of this machine is %s: nothing is stamped "
		    "until it is synchronised", strcmp(state, "unknown") == 0 ? "in a state that is not known" : state);
		return false;
	}
	if (watch.stepped_us != 0 && since_boot_us() - watch.stepped_us < STAMP_WAIT_US) {
		fault_set(f, SIGNET_ERR_CLOCK_UNSYNCHRONIZED, NULL, "the clock of this machine was set a moment ago: nothing "
		    "is stamped for 10 minutes");
		return false;
	}
	return true;
}

/* The first section serves; the configuration has checked its key. */
static const struct config_timestamp *
source_of(const struct broker *b)
{
	return b->config->timestamp_count > 0 ? &b->config->timestamps[0] : NULL;
}

struct key *
stamp_source(struct broker *b, struct fault *f)
{
	const struct config_timestamp *source = source_of(b);

	if (source == NULL) {
		fault_set(f, SIGNET_ERR_UNSUPPORTED, "timestamp",
		    "this daemon has no source of time-stamps: its configuration names none");
		return NULL;
	}
	if (!clock_is_right(b, source, f))
		return NULL;
	return broker_key(b, b->config->keys[source->key].name);
}

static bool
next_serial(uint8_t out[WIRE_SERIAL_SIZE])
{
	static uint8_t run[11];
	static uint64_t count;

	if (count == 0 && getrandom(run, sizeof(run), 0) != (ssize_t)sizeof(run))
		return false;
	count++;
	out[0] = 1; /* neither negative nor shorter than it is */
	memcpy(out + 1, run, sizeof(run));
	for (size_t i = 0; i < 8; i++)
		out[12 + i] = (uint8_t)(count >> 8 * (7 - i));
	return true;
}
_Static_assert((int)WIRE_SERIAL_SIZE == 1 + 11 + 8, "the serial number has a place for each of its parts");

struct job *
stamp_job(struct broker *b, struct key *k, struct identity *who, const struct stamp_wish *wish)
{
	const struct config_timestamp *source = source_of(b);
	struct job *j = job_new(JOB_SIGN, k->token, who);

	if (j == NULL)
		return NULL;
	j->stamp = calloc(1, sizeof(*j->stamp));
	if (j->stamp == NULL) {
		job_free(j);
		return NULL;
	}
	j->key = k;
	j->verb = wish->verb;
	j->format = WIRE_TST;
	j->digest = wish->imprint;
	j->source = PIN_CALL;
	snprintf(j->stamp->policy, sizeof(j->stamp->policy), "%s", source->policy);
	j->stamp->accuracy_ms = source->accuracy_ms;
	j->stamp->cert_req = wish->cert_req;
	j->stamp->nonce_len = (uint8_t)wish->nonce_len;
	memcpy(j->stamp->nonce, wish->nonce, wish->nonce_len);
	return j;
}

bool
stamp_claim(struct job *j, struct fault *f)
{
	struct broker *b = j->token->broker;
	const struct config_timestamp *source = source_of(b);

	/* the configuration may have changed while it waited */
	if (source == NULL) {
		fault_set(f, SIGNET_ERR_UNSUPPORTED, "timestamp", "this daemon no longer has a source of time-stamps");
		return false;
	}
	if (!clock_is_right(b, source, f))
		return false;
	if (next_serial(j->stamp->serial))
		return true;
	fault_set(f, SIGNET_ERR_BUSY, NULL, "there are no random numbers yet; try again");
	return false;
}

/*
 * The report as one page: no script, no picture or font from elsewhere, so it
 * can be kept for years, mailed and printed.
 *
 * Invariant: every text that is not ours is written by text() alone.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"

enum { BARS_MAX = 400, WIDTH = 960, HEIGHT = 160 };

static const char style[] =
    "body{font:15px/1.45 system-ui,\"Noto Sans\",\"DejaVu Sans\",sans-serif;margin:2em auto;max-width:62em;"
    "padding:0 1em;color:#1b1b1b;background:#fff}"
    "h1{font-size:1.6em;margin:0 0 .2em}h2{font-size:1.15em;margin:1.8em 0 .4em;border-bottom:1px solid #bbb}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25em .7em .25em 0;"
    "border-bottom:1px solid #e3e3e3;vertical-align:top;overflow-wrap:anywhere}"
    "th{font-weight:600;border-bottom:1px solid #999}.n{text-align:right;font-variant-numeric:tabular-nums;"
    "white-space:nowrap}.t{white-space:nowrap}.box{border:2px solid;border-radius:.4em;padding:.6em "
    "1em;margin:1em 0}"
    ".good{border-color:#2a7d3f;background:#eef8f0}.bad{border-color:#b3261e;background:#fdeeed}"
    ".warn{border-color:#b26a00;background:#fff6e6}.red{color:#b3261e;font-weight:600}.dim{color:#666}"
    ".tiles{display:grid;grid-template-columns:repeat(6,1fr);gap:.7em;margin:1em 0}"
    ".tile{border:1px solid #ccc;"
    "border-radius:.4em;padding:.5em .8em}.tile "
    "b{display:block;font-size:1.5em;font-variant-numeric:tabular-nums}"
    "table.tally{table-layout:fixed}.tally th.n{width:12%}.tally th:last-child{width:20%}"
    ".tally td:last-child,.tally th:last-child{padding-left:1.2em}"
    "svg{width:100%;height:auto}code{overflow-wrap:anywhere;font-size:.9em}"
    "@media screen and (max-width:45em){.tiles{grid-template-columns:repeat(3,1fr)}}"
    "@media print{body{margin:0;max-width:none;font-size:10pt}h2{break-after:avoid}tr{break-inside:avoid}"
    ".box,.tile{break-inside:avoid}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}"
    "@page{size:A4;margin:15mm}";

static void
text(FILE *f, const char *s)
{
	char *safe = safe_text(s);

	for (const char *p = safe; *p != '\0'; p++) {
		switch (*p) {
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		default:
			fputc(*p, f);
		}
	}
	free(safe);
}

static void
cell(FILE *f, const char *class, const char *s)
{
	fprintf(f, "<td%s%s%s>", class == NULL ? "" : " class=\"", class == NULL ? "" : class,
	    class == NULL ? "" : "\"");
	text(f, s);
	fputs("</td>", f);
}

static void
number_cell(FILE *f, uint64_t n, bool bad)
{
	if (n == 0)
		fputs("<td class=\"n dim\">0</td>", f);
	else
		fprintf(f, "<td class=\"n%s\">%llu</td>", bad ? " red" : "", (unsigned long long)n);
}

static void
heading(FILE *f, const char *s)
{
	fputs("<h2>", f);
	text(f, s);
	fputs("</h2>\n", f);
}

static void
paragraph(FILE *f, const char *class, const char *s)
{
	fprintf(f, "<p%s%s%s>", class == NULL ? "" : " class=\"", class == NULL ? "" : class,
	    class == NULL ? "" : "\"");
	text(f, s);
	fputs("</p>\n", f);
}

static const char *
when(char *out, const char *time)
{
	return time[0] == '\0' ? "" : local_time(out, time);
}

/* --- the verification --- */

static void
verdict_key(FILE *f, const struct log_verdict *v)
{
	char fingerprint[2 * SIGNET_LOG_HASH + 1];

	if (v->key == NULL || signet_log_key(v->key, NULL, fingerprint) != SIGNET_OK) {
		paragraph(
		    f, "red", _("Who signed the checkpoint was not checked: the log's key was not given."));
		return;
	}
	fputs("<p>", f);
	text(
	    f, v->key_was_given
		   ? _("The checkpoint is signed with the key that was given:")
		   : _("The checkpoint is signed with the key that the log itself names; compare it with the "
		       "record of the log's enrolment:"));
	fputs("<br><code>", f);
	text(f, v->key);
	fputs("</code><br>", f);
	text(f, _("fingerprint"));
	fprintf(f, " <code>%s</code></p>\n", fingerprint);
}

static void
verdicts(FILE *f, const struct report *r)
{
	for (size_t i = 0; i < r->verdict_count; i++) {
		const struct log_verdict *v = &r->verdicts[i];
		char *line = log_verdict_text(v);

		fprintf(f, "<div class=\"box %s\"><strong>",
		    !v->good         ? "bad"
		    : v->key == NULL ? "warn"
				     : "good");
		text(f, v->good ? _("Verified") : _("NOT VERIFIED"));
		fputs("</strong> ", f);
		text(f, line);
		fputs(".\n", f);
		if (v->good)
			verdict_key(f, v);
		fputs("</div>\n", f);
		free(line);
	}
}

/* --- numbers --- */

static void
tile(FILE *f, uint64_t n, const char *what, bool bad)
{
	fprintf(f, "<div class=\"tile\"><b%s>%llu</b>", bad && n > 0 ? " class=\"red\"" : "",
	    (unsigned long long)n);
	text(f, what);
	fputs("</div>\n", f);
}

static void
overview(FILE *f, const struct report *r)
{
	uint64_t ok = 0, failed = 0, unknown = 0;

	for (size_t i = 0; i < r->operations.count; i++) {
		ok += r->operations.rows[i].ok;
		failed += r->operations.rows[i].failed;
		unknown += r->operations.rows[i].unknown;
	}
	fputs("<div class=\"tiles\">\n", f);
	tile(f, ok, _("signatures, seals and time-stamps"), false);
	tile(f, failed, _("failed"), true);
	tile(f, unknown, _("with unknown outcome"), true);
	tile(f, r->refusal_count, _("refusals"), true);
	tile(f, r->pin_count, _("PIN failures"), true);
	tile(f, r->entries, _("entries in all"), false);
	fputs("</div>\n", f);
}

static void
tally(FILE *f, const struct tally *t, const char *title, const char *first, const char *unnamed)
{
	const char *const heads[] = {_("all"), _("done"), _("failed"), _("unknown")};
	char last[64];

	heading(f, title);
	if (t->count == 0) {
		paragraph(f, "dim", _("None."));
		return;
	}
	fputs("<table class=\"tally\"><thead><tr><th>", f);
	text(f, first);
	fputs("</th>", f);
	for (size_t i = 0; i < array_len(heads); i++) {
		fputs("<th class=\"n\">", f);
		text(f, heads[i]);
		fputs("</th>", f);
	}
	fputs("<th>", f);
	text(f, _("last time"));
	fputs("</th></tr></thead><tbody>\n", f);
	for (size_t i = 0; i < t->count; i++) {
		const struct tally_row *row = &t->rows[i];

		fputs("<tr>", f);
		cell(f, row->name[0] == '\0' ? "dim" : NULL, row->name[0] == '\0' ? unnamed : row->name);
		number_cell(f, row->count, false);
		number_cell(f, row->ok, false);
		number_cell(f, row->failed, true);
		number_cell(f, row->unknown, true);
		cell(f, "t", when(last, row->last));
		fputs("</tr>\n", f);
	}
	fputs("</tbody></table>\n", f);
}

/* --- a bar per day --- */

static bool
day_of(const char *name, struct tm *t)
{
	memset(t, 0, sizeof(*t));
	return strptime(name, "%Y-%m-%d", t) != NULL;
}

static int64_t
day_number(const char *name)
{
	struct tm t;

	return day_of(name, &t) ? timegm(&t) / 86400 : -1;
}

struct bars {
	int64_t first, count;
	bool months; /* so many days that their bars could not be seen */
	uint64_t *ok, *bad, most;
};

static int64_t
month_number(const char *name)
{
	struct tm t;

	return day_of(name, &t) ? (int64_t)t.tm_year * 12 + t.tm_mon : -1;
}

static bool
fill_bars(struct bars *b, const struct tally *days)
{
	const char *first = days->rows[0].name, *last = days->rows[days->count - 1].name;

	b->months = day_number(last) - day_number(first) >= BARS_MAX;
	b->first = b->months ? month_number(first) : day_number(first);
	b->count = (b->months ? month_number(last) : day_number(last)) - b->first + 1;
	/* times of the entries are the machine's: a clock that was wrong by ages is no reason to draw for ages */
	if (b->first < 0 || b->count <= 0 || b->count > 10 * BARS_MAX)
		return false;
	b->ok = calloc((size_t)b->count, sizeof(*b->ok));
	b->bad = calloc((size_t)b->count, sizeof(*b->bad));
	if (b->ok == NULL || b->bad == NULL)
		abort();
	for (size_t i = 0; i < days->count; i++) {
		const struct tally_row *row = &days->rows[i];
		int64_t at = (b->months ? month_number(row->name) : day_number(row->name)) - b->first;

		if (at < 0 || at >= b->count)
			continue;
		b->ok[at] += row->ok;
		b->bad[at] += row->count - row->ok;
		if (b->ok[at] + b->bad[at] > b->most)
			b->most = b->ok[at] + b->bad[at];
	}
	return b->most > 0;
}

static void
bar_name(char *out, size_t size, const struct bars *b, int64_t at)
{
	time_t t = (b->first + at) * 86400;
	struct tm tm;

	if (b->months)
		(void)snprintf(out, size, "%04lld-%02lld", (long long)(1900 + (b->first + at) / 12),
		    (long long)((b->first + at) % 12 + 1));
	else if (gmtime_r(&t, &tm) == NULL || strftime(out, size, "%Y-%m-%d", &tm) == 0)
		out[0] = '\0';
}

static void
rectangle(FILE *f, double x, double y, double width, double height, const char *colour)
{
	if (height > 0)
		fprintf(f, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>", x, y,
		    width, height, colour);
}

static void
draw_bars(FILE *f, const struct bars *b)
{
	double step = (double)WIDTH / (double)b->count, width = step > 3 ? step - 1 : step;
	char name[32];

	if (width > 60)
		width = 60;
	fprintf(f, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT + 34);
	text(f, _("a bar per day"));
	fputs("\">\n", f);
	for (int64_t i = 0; i < b->count; i++) {
		double ok = HEIGHT * (double)b->ok[i] / (double)b->most,
		       bad = HEIGHT * (double)b->bad[i] / (double)b->most;

		if (b->ok[i] + b->bad[i] == 0)
			continue;
		bar_name(name, sizeof(name), b, i);
		fprintf(f, "<g><title>%s: %llu</title>", name, (unsigned long long)(b->ok[i] + b->bad[i]));
		rectangle(f, (double)i * step, HEIGHT + 14 - ok, width, ok, "#2f6fb0");
		rectangle(f, (double)i * step, HEIGHT + 14 - ok - bad, width, bad, "#b3261e");
		fputs("</g>\n", f);
	}
	fprintf(f, "<line x1=\"0\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#777\"/>", HEIGHT + 14, WIDTH,
	    HEIGHT + 14);
	bar_name(name, sizeof(name), b, 0);
	fprintf(f, "<text x=\"0\" y=\"%d\" font-size=\"12\" fill=\"#555\">%s</text>", HEIGHT + 30, name);
	if (b->count > 1) {
		bar_name(name, sizeof(name), b, b->count - 1);
		fprintf(f,
		    "<text x=\"%d\" y=\"%d\" font-size=\"12\" text-anchor=\"end\" fill=\"#555\">%s</text>",
		    WIDTH, HEIGHT + 30, name);
	}
	fprintf(f, "<text x=\"0\" y=\"10\" font-size=\"12\" fill=\"#555\">%llu</text></svg>\n",
	    (unsigned long long)b->most);
}

static void
days(FILE *f, const struct report *r)
{
	struct bars b = {0};

	heading(f, _("By day"));
	if (r->days.count == 0 || !fill_bars(&b, &r->days)) {
		paragraph(
		    f, "dim", r->days.count == 0 ? _("None.") : _("The days are too far apart to be drawn."));
	} else {
		draw_bars(f, &b);
		paragraph(f, "dim",
		    b.months ? _("A bar per month (UTC); red: not done.")
			     : _("A bar per day (UTC); red: not done."));
	}
	free(b.ok);
	free(b.bad);
}

/* --- lists --- */

static void
list_head(FILE *f, const char *const *heads, size_t count)
{
	fputs("<table><thead><tr>", f);
	for (size_t i = 0; i < count; i++) {
		fputs("<th>", f);
		text(f, heads[i]);
		fputs("</th>", f);
	}
	fputs("</tr></thead><tbody>\n", f);
}

static void
list(FILE *f, const struct report *r, const char *title, const struct report_refusal *rows, uint64_t count,
    bool red)
{
	const char *const heads[] = {_("when"), _("entry"), _("who"), _("what"), _("why")};
	uint64_t shown = count < REPORT_LISTED ? count : REPORT_LISTED;
	char time[64];

	heading(f, title);
	if (count == 0) {
		paragraph(f, "dim", _("None."));
		return;
	}
	list_head(f, heads, array_len(heads));
	for (uint64_t i = 0; i < shown; i++) {
		const struct report_refusal *row = &rows[(count - shown + i) % REPORT_LISTED];

		fprintf(f, "<tr%s>", red ? " class=\"red\"" : "");
		cell(f, "t", when(time, row->time));
		fputs("<td>", f);
		if (r->verdict_count > 1) { /* a number says nothing without its log */
			text(f, row->log);
			fputc(' ', f);
		}
		fprintf(f, "%llu</td>", (unsigned long long)row->index);
		cell(f, NULL, row->who);
		cell(f, NULL, row->what);
		fputs("<td>", f);
		text(f, row->why);
		if (row->repeated > 1)
			fprintf(f, " (%llu ×)", (unsigned long long)row->repeated);
		fputs("</td></tr>\n", f);
	}
	fputs("</tbody></table>\n", f);
	if (shown < count)
		paragraph(f, "dim", _("Older ones are not listed here."));
}

static void
certificates(FILE *f, const struct report *r)
{
	const char *const heads[] = {_("key"), _("certificate"), _("valid until")};
	char time[64];

	heading(f, _("Certificates"));
	if (!r->keys_known) {
		paragraph(f, "dim", _("Not known: only the daemon knows its certificates."));
		return;
	}
	if (r->certificate_count == 0) {
		paragraph(f, "dim", _("None."));
		return;
	}
	list_head(f, heads, array_len(heads));
	for (size_t i = 0; i < r->certificate_count; i++) {
		const struct report_certificate *c = &r->certificates[i];

		fputs("<tr>", f);
		cell(f, NULL, c->key);
		cell(f, NULL, c->subject);
		cell(f, c->soon ? "t red" : "t", when(time, c->not_after));
		fputs("</tr>\n", f);
	}
	fputs("</tbody></table>\n", f);
	paragraph(f, "dim", _("Red: expired, or expires within 60 days."));
}

/* --- the page --- */

static void
title(FILE *f, const struct report *r)
{
	char now[64], first[64], last[64];
	time_t t = time(NULL);
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL || strftime(now, sizeof(now), "%Y-%m-%d %H:%M %Z", &tm) == 0)
		now[0] = '\0';
	fputs("<h1>", f);
	text(f, _("Signing log"));
	fputs("</h1>\n<p>", f);
	for (size_t i = 0; i < r->verdict_count; i++) {
		fputs(i == 0 ? "<strong>" : ", <strong>", f);
		text(f, r->verdicts[i].origin);
		fputs("</strong>", f);
	}
	fputs("<br>", f);
	if (r->entries > 0) {
		text(f, when(first, r->first));
		fputs(" – ", f);
		text(f, when(last, r->last));
	} else {
		text(f, _("There is no entry in this time."));
	}
	fputs("<br><span class=\"dim\">", f);
	text(f, _("Report made"));
	fputs(" ", f);
	text(f, now);
	fputs("</span></p>\n", f);
}

void
report_html(const struct report *r, FILE *f)
{
	/* the language of the texts, as gettext has it: a translation says its own */
	fprintf(f, "<!DOCTYPE html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\">\n<title>", _("en"));
	text(f, _("Signing log"));
	fprintf(f,
	    "</title>\n<meta name=\"viewport\" content=\"width=device-width\">\n"
	    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	    "'unsafe-inline'\">\n"
	    "<style>%s</style></head>\n<body>\n",
	    style);
	title(f, r);
	verdicts(f, r);
	overview(f, r);
	days(f, r);
	list(f, r, _("Seals without a basis, or by way of exception"), r->seals, r->seal_count, true);
	tally(f, &r->keys, _("By key"), _("key"), _("(no key)"));
	tally(f, &r->people, _("By person"), _("user"), _("(nobody)"));
	tally(f, &r->organisations, _("By organisation"), _("organisation"),
	    r->keys_known ? _("(none)") : _("(not known: only the daemon knows it)"));
	tally(f, &r->operations, _("By operation"), _("operation"), "");
	list(f, r, _("Refusals"), r->refusals, r->refusal_count, false);
	list(f, r, _("PIN failures"), r->pins, r->pin_count, false);
	certificates(f, r);
	fputs("</body></html>\n", f);
}

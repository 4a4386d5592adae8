/* Texts and dates as PDF writes them [ISO 32000-1, 7.9.2.2, 7.9.4]: PDFDocEncoding where ASCII will do, else UTF-16. */
#include <string.h>
#include <time.h>

#include "pdf/file.h"

/* One character of UTF-8; 0: malformed, or the end. */
static uint32_t
next_char(const uint8_t **p)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	uint32_t c = *(*p)++;
	unsigned more = c < 0x80 ? 0 : c < 0xc0 ? 9 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf8 ? 3 : 9, i;

	if (more > 3)
		return 0;
	c &= more == 0 ? 0x7f : 0x3fU >> more;
	for (i = 0; i < more; i++) {
		if ((**p & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (*(*p)++ & 0x3f);
	}
	return c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : c;
}

static void
put_utf16(struct buf *out, uint32_t c)
{
	if (c < 0x10000) {
		buf_printf(out, "%04X", (unsigned)c);
		return;
	}
	c -= 0x10000;
	buf_printf(out, "%04X%04X", 0xd800U | c >> 10, 0xdc00U | (c & 0x3ff));
}

static void
put_ascii(struct buf *out, const char *text)
{
	buf_chr(out, '(');
	for (; *text != '\0'; text++) {
		if (*text == '(' || *text == ')' || *text == '\\')
			buf_chr(out, '\\');
		buf_chr(out, *text);
	}
	buf_chr(out, ')');
}

bool
text_put(struct buf *out, const char *utf8)
{
	const uint8_t *p = (const uint8_t *)utf8, *end;
	size_t n = strnlen(utf8, PDF_TEXT_MAX + 1);
	bool ascii = true;
	uint32_t c;

	if (n > PDF_TEXT_MAX)
		return false;
	end = p + n;
	while (p < end) {
		c = next_char(&p);
		if (c < 0x20 || c == 0x7f)
			return false;
		ascii = ascii && c < 0x7f;
	}
	if (ascii) {
		put_ascii(out, utf8);
		return true;
	}
	buf_str(out, "<FEFF");
	for (p = (const uint8_t *)utf8; p < end;)
		put_utf16(out, next_char(&p));
	buf_chr(out, '>');
	return true;
}

bool
text_put_time(struct buf *out, int64_t time, int offset_minutes)
{
	int offset = offset_minutes < 0 ? -offset_minutes : offset_minutes;
	time_t local = (time_t)(time + (int64_t)offset_minutes * 60);
	struct tm tm;

	if (offset > 24 * 60 - 1 || time < 0 || gmtime_r(&local, &tm) == NULL || tm.tm_year < 0 ||
	    tm.tm_year > 8099)
		return false;
	buf_printf(out, "(D:%04d%02d%02d%02d%02d%02d%c%02d'%02d')", tm.tm_year + 1900, tm.tm_mon + 1,
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, offset_minutes < 0 ? '-' : '+', offset / 60,
	    offset % 60);
	return true;
}

/* n digits at *p into a number; -1: there are none. */
static int
take_digits(const char **p, int n)
{
	int value = 0;

	for (; n > 0; n--, (*p)++) {
		if (**p < '0' || **p > '9')
			return -1;
		value = value * 10 + (**p - '0');
	}
	return value;
}

/* "+07'00'", "Z" or nothing, in seconds. */
static int
take_offset(const char **p)
{
	int sign = **p == '-' ? -1 : 1, hours, minutes;

	if (**p != '+' && **p != '-')
		return 0;
	(*p)++;
	hours = take_digits(p, 2);
	if (hours < 0)
		return 0;
	if (**p == '\'')
		(*p)++;
	minutes = take_digits(p, 2);
	return sign * (hours * 3600 + (minutes < 0 ? 0 : minutes * 60));
}

void
text_read_time(const struct value *v, char *out)
{
	int part[6] = {0, 1, 1, 0, 0, 0}, i, got;
	char text[64];
	const char *p = text;
	struct tm tm = {0};
	time_t time;

	out[0] = '\0';
	value_text(v, text, sizeof(text));
	if (strncmp(p, "D:", 2) == 0)
		p += 2;
	part[0] = take_digits(&p, 4);
	if (part[0] < 0)
		return;
	for (i = 1; i < 6; i++) {
		got = take_digits(&p, 2);
		if (got < 0)
			break;
		part[i] = got;
	}
	tm = (struct tm){.tm_year = part[0] - 1900,
	    .tm_mon = part[1] - 1,
	    .tm_mday = part[2],
	    .tm_hour = part[3],
	    .tm_min = part[4],
	    .tm_sec = part[5]};
	time = timegm(&tm) - take_offset(&p);
	if (gmtime_r(&time, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 8099)
		return;
	(void)strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/*
 * A name for a section of the configuration, made of a person's: a-z, digits
 * and "-". Vietnamese and other Latin letters lose their marks.
 */
#include <string.h>

#include "admin.h"

struct range {
	unsigned first, last;
	char letter;
};

/* Both cases; in order. */
static const struct range ranges[] = {{0xc0, 0xc6, 'a'}, {0xc7, 0xc7, 'c'}, {0xc8, 0xcb, 'e'}, {0xcc, 0xcf, 'i'},
    {0xd0, 0xd0, 'd'}, {0xd1, 0xd1, 'n'}, {0xd2, 0xd6, 'o'}, {0xd8, 0xd8, 'o'}, {0xd9, 0xdc, 'u'}, {0xdd, 0xdd, 'y'},
    {0xe0, 0xe6, 'a'}, {0xe7, 0xe7, 'c'}, {0xe8, 0xeb, 'e'}, {0xec, 0xef, 'i'}, {0xf0, 0xf0, 'd'}, {0xf1, 0xf1, 'n'},
    {0xf2, 0xf6, 'o'}, {0xf8, 0xf8, 'o'}, {0xf9, 0xfc, 'u'}, {0xfd, 0xfd, 'y'}, {0xff, 0xff, 'y'}, {0x100, 0x105, 'a'},
    {0x106, 0x10d, 'c'}, {0x10e, 0x111, 'd'}, {0x112, 0x11b, 'e'}, {0x128, 0x131, 'i'}, {0x139, 0x142, 'l'},
    {0x143, 0x148, 'n'}, {0x14c, 0x151, 'o'}, {0x154, 0x159, 'r'}, {0x15a, 0x161, 's'}, {0x162, 0x167, 't'},
    {0x168, 0x173, 'u'}, {0x179, 0x17e, 'z'}, {0x1a0, 0x1a1, 'o'}, {0x1af, 0x1b0, 'u'}, {0x1ea0, 0x1eb7, 'a'},
    {0x1eb8, 0x1ec7, 'e'}, {0x1ec8, 0x1ecb, 'i'}, {0x1ecc, 0x1ee3, 'o'}, {0x1ee4, 0x1ef1, 'u'}, {0x1ef2, 0x1ef9, 'y'}};

/* The character at *p, which moves behind it. Not strict: a name is made of it, nothing else. */
static unsigned
next_character(const unsigned char **p)
{
	unsigned c = *(*p)++, more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

	if (more > 0)
		c &= 0x3fU >> more;
	for (; more > 0 && (**p & 0xc0) == 0x80; more--)
		c = c << 6 | (*(*p)++ & 0x3fU);
	return c;
}

/* '-': nothing like a letter; '\0': belongs to the letter before. */
static char
plain(unsigned c)
{
	size_t i;

	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
		return (char)c;
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	if (c >= 0x300 && c <= 0x36f)
		return '\0'; /* a mark of its own */
	for (i = 0; i < array_len(ranges); i++) {
		if (c >= ranges[i].first && c <= ranges[i].last)
			return ranges[i].letter;
	}
	return '-';
}

void
conf_name(char out[CONF_NAME_SIZE], const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = 0;

	while (*p != '\0' && n < CONF_NAME_SIZE - 1) {
		char c = plain(next_character(&p));

		if (c == '-' && (n == 0 || out[n - 1] == '-'))
			continue;
		if (c != '\0')
			out[n++] = c;
	}
	while (n > 0 && out[n - 1] == '-')
		n--;
	out[n] = '\0';
	if (n == 0)
		(void)strcpy(out, "token");
}

bool
conf_name_good(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < CONF_NAME_SIZE && strchr("._-", name[0]) == NULL &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

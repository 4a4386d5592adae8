/*
 * A prompt as a daemon tells it, or somebody who plays one: what a person is
 * shown of it cannot steer his terminal, has an end, and stays text.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "fuzz.h"
#include "inbox.h"

enum { SHOWN_MAX = 32 * 1024 };

static void
check(char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	assert(text != NULL && strlen(text) < SHOWN_MAX);
	for (; *p != '\0'; p++) {
		assert(*p == '\n' || (*p >= 0x20 && *p != 0x7f));
		assert(p[0] != 0xc2 || p[1] < 0x80 || p[1] > 0x9f);                 /* C1 */
		assert(p[0] != 0xe2 || p[1] != 0x80 || p[2] < 0xa8 || p[2] > 0xae); /* direction */
	}
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *prompt;

	if (json_read(&prompt, (const char *)data, size, NULL) != SIGNET_OK)
		return 0;
	check(prompt_text(prompt));
	check(prompt_line(prompt));
	check(prompt_question(prompt));
	check(prompt_warning(prompt));
	assert(prompt_seconds(prompt) >= 1 && prompt_seconds(prompt) <= 600);
	assert(prompt_token(prompt) != NULL);
	(void)prompt_closed(prompt);
	json_decref(prompt);
	return 0;
}

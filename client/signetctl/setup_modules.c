/*
 * Drivers that are installed: what p11-kit's files name, and places where
 * vendors put theirs. Our own bridge and p11-kit's are no drivers of tokens.
 */
#include <dirent.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "setup.h"

static const char *const files[] = {"/etc/pkcs11/modules/*.module", "/usr/share/p11-kit/modules/*.module"};
static const char *const folders[] = {"/usr/lib/x86_64-linux-gnu/pkcs11", "/usr/lib/aarch64-linux-gnu/pkcs11", "/usr/lib/pkcs11",
    "/usr/lib64/pkcs11", "/usr/lib/x86_64-linux-gnu", "/usr/lib", NULL};
static const char *const places[] = {"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/*/opensc-pkcs11.so",
    "/usr/lib/*/pkcs11/opensc-pkcs11.so", "/usr/lib/*/pkcs11/libtpm2_pkcs11.so", "/usr/lib/libeToken.so",
    "/usr/lib/*/libykcs11.so", "/usr/lib/libcastle*.so*", "/usr/lib/*/libcastle*.so*", "/opt/*/lib/*pkcs11*.so",
    "/usr/lib/*pkcs11*.so", "/usr/lib/libbit4*.so", "/usr/lib/*/libbit4*.so"};
static const char *const no_drivers[] = {"p11-kit", "signet-pkcs11", "pkcs11-spy", "onepin-", "libp11"};

static bool
is_driver(const char *path)
{
	size_t i;

	for (i = 0; i < array_len(no_drivers); i++) {
		if (strstr(path, no_drivers[i]) != NULL)
			return false;
	}
	return access(path, R_OK) == 0;
}

/* The same file under two names is one driver. */
static size_t
add(char **paths, size_t count, const char *path)
{
	char *real = realpath(path, NULL);
	size_t i;

	if (real == NULL || !is_driver(path))
		count += 0;
	else {
		for (i = 0; i < count && strcmp(paths[i], real) != 0; i++)
			;
		if (i == count && count < SETUP_MODULES_MAX) {
			paths[count] = real;
			return count + 1;
		}
	}
	free(real);
	return count;
}

/* "module: opensc-pkcs11.so" */
char *
module_of_file(const char *path, const char *const *where)
{
	char line[512], *name, *full = NULL;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return NULL;
	while (full == NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "module:", 7) != 0)
			continue;
		name = line + 7 + strspn(line + 7, " \t");
		name[strcspn(name, " \t\r\n")] = '\0';
		if (name[0] == '/')
			full = strdup(name);
		for (; full == NULL && name[0] != '\0' && *where != NULL; where++) {
			if (asprintf(&full, "%s/%s", *where, name) < 0)
				abort();
			if (access(full, R_OK) != 0) {
				free(full);
				full = NULL;
			}
		}
		break;
	}
	(void)fclose(f);
	return full;
}

size_t
setup_find_modules(char *paths[SETUP_MODULES_MAX])
{
	size_t count = 0, i, k;
	glob_t found;

	for (i = 0; i < array_len(files); i++) {
		if (glob(files[i], 0, NULL, &found) != 0)
			continue;
		for (k = 0; k < found.gl_pathc; k++) {
			char *module = module_of_file(found.gl_pathv[k], folders);

			if (module != NULL)
				count = add(paths, count, module);
			free(module);
		}
		globfree(&found);
	}
	for (i = 0; i < array_len(places); i++) {
		if (glob(places[i], 0, NULL, &found) != 0)
			continue;
		for (k = 0; k < found.gl_pathc; k++)
			count = add(paths, count, found.gl_pathv[k]);
		globfree(&found);
	}
	return count;
}

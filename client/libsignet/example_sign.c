/* Sign the SHA-256 of "hello\n" with the key named on the command line; the signature goes to stdout. */
#include <signet/signet.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	static const uint8_t digest[32] = {0x58, 0x91, 0xb5, 0xb5, 0x22, 0xd5, 0xdf, 0x08, 0x6d, 0x0f, 0xf0,
	    0xb1, 0x10, 0xfb, 0xd9, 0xd2, 0x1b, 0xb4, 0xfc, 0x71, 0x63, 0xaf, 0x34, 0xd0, 0x82, 0x86, 0xa2,
	    0xe8, 0x46, 0xf6, 0xbe, 0x03};
	signet_conn *conn = NULL;
	signet_result *result = NULL;
	signet_err err;

	err = signet_connect(&conn, NULL);
	if (err == SIGNET_OK)
		err = signet_sign(conn, argc > 1 ? argv[1] : "office", SIGNET_SHA256, digest, NULL, &result);
	if (err == SIGNET_OK) {
		fwrite(result->signature, 1, result->signature_size, stdout);
		fprintf(stderr, "entry %llu: %s\n", (unsigned long long)result->index, result->entry);
	} else {
		fprintf(stderr, "not signed: %s\n", signet_error_message(conn));
	}
	signet_result_free(result);
	signet_close(conn);
	return err == SIGNET_OK ? 0 : 1;
}

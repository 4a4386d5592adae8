/* Members in the order of org.signetd.Signer. */
#include "receipt.h"

#include <string.h>

void
receipt_write(struct buf *out, const char *origin, const struct outcome *o)
{
	if (o->sig_len > 0) {
		buf_chr(out, '"');
		buf_str(out, o->name != NULL ? o->name : "signature");
		buf_str(out, "\":\"");
		buf_base64(out, o->sig, o->sig_len);
		buf_str(out, "\",");
	}
	buf_str(out, "\"receipt\":{\"log\":");
	buf_json(out, origin, strlen(origin));
	buf_str(out, ",\"index\":");
	buf_dec(out, o->index);
	buf_str(out, ",\"time\":\"");
	buf_str(out, o->time);
	buf_str(out, "\",\"entry\":");
	buf_json(out, (const char *)o->entry, o->entry_len);
	buf_str(out, ",\"leafHash\":\"");
	buf_base64(out, o->leaf, 32);
	buf_chr(out, '"');
	if (o->proof_len > 0) {
		buf_str(out, ",\"proof\":");
		buf_json(out, o->proof, o->proof_len);
	}
	buf_chr(out, '}');
}

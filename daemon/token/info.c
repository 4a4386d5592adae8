/*
 * The answer to CONFIG: what the token says of itself, and a frame that holds
 * all keys whatever hangs on them. A key without its chain can still be used;
 * a worker without INFO cannot.
 */
#include "token/worker.h"

static uint8_t
at_most_255(CK_ULONG n)
{
	return n > UINT8_MAX ? UINT8_MAX : (uint8_t)n;
}

void
info_describe(struct wire_info *info, const CK_TOKEN_INFO *a)
{
	text_field(info->serial, sizeof(info->serial), a->serialNumber, sizeof(a->serialNumber));
	text_field(info->label, sizeof(info->label), a->label, sizeof(a->label));
	text_field(
	    info->manufacturer, sizeof(info->manufacturer), a->manufacturerID, sizeof(a->manufacturerID));
	text_field(info->model, sizeof(info->model), a->model, sizeof(a->model));
	info->flags = (uint32_t)a->flags;
	info->pin_min = at_most_255(a->ulMinPinLen);
	info->pin_max = at_most_255(a->ulMaxPinLen);
}

/* Chains are cut, longest first; the own certificates go last of all. */
void
info_put(struct buf *out, struct wire_info *info)
{
	for (uint8_t keep = WIRE_CERTS_MAX;; keep--) {
		for (size_t i = 0; i < info->key_count; i++)
			if (info->keys[i].cert_count > keep)
				info->keys[i].cert_count = keep;
		wire_put_info(out, info);
		if (!out->failed || keep == 0)
			return;
		buf_reset(out);
	}
}

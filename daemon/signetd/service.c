/* org.varlink.service: who we are and what we offer [varlink.org, Service]. */
#include "dispatch.h"

void
service_get_info(struct request *r)
{
	const struct idl *const *list;
	size_t n = dispatch_interfaces(&list);
	json_t *names = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(names, json_string(idl_name(list[i])));
	request_reply(r, json_pack("{s:s,s:s,s:s,s:s,s:o}", "vendor", "Signet", "product", "signetd", "version",
			     SIGNET_VERSION, "url", "file:///usr/share/doc/signetd", "interfaces", names));
}

void
service_get_description(struct request *r)
{
	const char *name = json_string_value(json_object_get(r->call.parameters, "interface"));
	const struct idl *i = dispatch_interface(name);

	if (i == NULL)
		request_fail_with(r, SIGNET_ERR_INTERFACE_NOT_FOUND, name, "%s", "");
	else
		request_reply(r, json_pack("{s:s}", "description", idl_text(i)));
}

/*
 * signetctl: signatures, keys and tokens on the command line.
 *
 * Invariant: freed JSON is wiped from the first allocation on, because a reply
 * or an error may quote what must not lie around; a PIN never becomes JSON here.
 */
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"

#include "admin.h"
#include "inbox.h"
#include "ctl.h"
#include "log.h"
#include "pdf_file.h"

#define TAKES_ALWAYS (TAKES(SOCKET) | TAKES(JSON) | TAKES(HELP) | TAKES(VERSION))
#define TAKES_PIN (TAKES(PIN_FD) | TAKES(LAST_TRY) | TAKES(NO_ASK))
#define TAKES_UNLOCK (TAKES_ALWAYS | TAKES_PIN | TAKES(USES) | TAKES(SECONDS))
#define TAKES_SIGN                                                                                           \
	(TAKES_ALWAYS | TAKES_PIN | TAKES(KEY) | TAKES(HASH) | TAKES(SCHEME) | TAKES(OUT) | TAKES(STDOUT) |  \
	    TAKES(FORMAT) | TAKES(LEVEL) |                                                                   \
	    TAKES(FORCE) | TAKES(RESUME) | TAKES(TITLE) | TAKES(NUMBER) | TAKES(DATE) | TAKES(CAPACITY) |    \
	    TAKES(FOR) | TAKES(REQUEST_ID) | TAKES(TIMEOUT) | TAKES(RECEIPT))
#define TAKES_PDF_SIGN                                                                                       \
	((TAKES_SIGN & ~(TAKES(STDOUT) | TAKES(RESUME) | TAKES(FORMAT))) | TAKES(NAME) | TAKES(REASON) | TAKES(LOCATION))
#define TAKES_LOG (TAKES_ALWAYS | TAKES(COPY) | TAKES(VKEY))
#define TAKES_FILTER                                                                                         \
	(TAKES(FROM) | TAKES(UNTIL) | TAKES(LIMIT) | TAKES(KIND) | TAKES(KEY) | TAKES(UID) | TAKES(TOKEN) |  \
	    TAKES(OPERATION) | TAKES(OUTCOME) | TAKES(DIGEST) | TAKES(NUMBER) | TAKES(DATE) | TAKES(CERT) |  \
	    TAKES(SIGNATURE) | TAKES(REQUEST_ID) | TAKES(FILE))
#define TAKES_ENROLMENT                                                                                      \
	(TAKES(SERIAL) | TAKES(HOLDER) | TAKES(SEAL) | TAKES(NAME) | TAKES(USER) | TAKES(CLERK))
#define TAKES_DRIVER (TAKES(MODULE) | TAKES(PATHS) | TAKES(ENVIRONMENT))
#define TAKES_OUT (TAKES(OUT) | TAKES(FORCE))

const struct verb verbs[] = {
    {"status", NULL, "", N_("how the daemon and its tokens are"), TAKES_ALWAYS, 0, 0, verb_status},
    {"reload", NULL, "", N_("make the daemon read its configuration again"), TAKES_ALWAYS, 0, 0, verb_reload},
    {"setup", NULL, "", N_("make a machine ready: asks, writes the configuration, prints a record"),
	TAKES_ALWAYS | TAKES_DRIVER | TAKES_OUT | TAKES_ENROLMENT | TAKES(CONFIG) | TAKES(ORIGIN) | TAKES(ADMIN) |
	    TAKES(AUDITOR) | TAKES(YES) | TAKES(NO_ASK),
	0, 0, verb_setup},
    {"doctor", NULL, "", N_("what is wrong on this machine, and what to do about it"),
	TAKES_ALWAYS | TAKES(CONFIG), 0, 0, verb_doctor},
    {"keys", NULL, N_("[NAME]"), N_("the keys that you may see"), TAKES_ALWAYS, 0, 1, verb_keys},
    {"token", "list", N_("[NAME]"), N_("the tokens that you may see"), TAKES_ALWAYS, 0, 1, verb_token_list},
    {"token", "unlock", N_("[NAME]"), N_("give a token its PIN, for some signatures"), TAKES_UNLOCK, 0, 1,
	verb_unlock},
    {"token", "lock", N_("[NAME]"), N_("end an unlocking"), TAKES_ALWAYS, 0, 1, verb_lock},
    {"token", "scan", "", N_("what is plugged in, and which certificates lie on it"),
	TAKES_ALWAYS | TAKES_DRIVER, 0, 0, verb_token_scan},
    {"token", "add", "", N_("put a token that is plugged in into the configuration"),
	TAKES_ALWAYS | TAKES_DRIVER | TAKES_ENROLMENT | TAKES(FORCE), 0, 0, verb_token_add},
    {"token", "replace", N_("TOKEN NUMBER"), N_("a new token, or new certificates, under the old names"),
	TAKES_ALWAYS | TAKES_DRIVER, 2, 2, verb_token_replace},
    {"cert", "list", N_("[KEY]"), N_("the certificates of the keys that you may see"), TAKES_ALWAYS, 0, 1,
	verb_cert_list},
    {"cert", "export", N_("KEY"), N_("a key's certificate and its issuers, as PEM"), TAKES_ALWAYS | TAKES_OUT, 1, 1,
	verb_cert_export},
    {"token", "handover", N_("TOKEN"), N_("record that a token went from one person to another"),
	TAKES_ALWAYS | TAKES(GIVEN_BY) | TAKES(GIVEN_TO) | TAKES(NUMBER) | TAKES(DATE), 1, 1, verb_token_handover},
    {"key", "generate", N_("LABEL"), N_("a new key on a token that is not configured yet"),
	TAKES_ALWAYS | TAKES_DRIVER | TAKES_PIN | TAKES(SERIAL) | TAKES(ALGORITHM), 1, 1, verb_key_generate},
    {"key", "csr", N_("ID"), N_("a request for its certificate, as PEM"),
	TAKES_ALWAYS | TAKES_DRIVER | TAKES_PIN | TAKES_OUT | TAKES(SERIAL) | TAKES(SUBJECT) | TAKES(ORGANISATION), 1, 1,
	verb_key_csr},
    {"cert", "import", N_("FILE"), N_("put a certificate beside its key on the token"),
	TAKES_ALWAYS | TAKES_DRIVER | TAKES_PIN | TAKES(SERIAL), 1, 1, verb_cert_import},
    {"key", "disable", N_("KEY"), N_("switch a key off: at once, for everyone"), TAKES_ALWAYS | TAKES(REASON), 1, 1,
	verb_key_disable},
    {"key", "enable", N_("KEY"), N_("switch it on again"), TAKES_ALWAYS | TAKES(REASON), 1, 1, verb_key_enable},
    {"unlock", NULL, N_("[NAME]"), N_("the same as token unlock"), TAKES_UNLOCK, 0, 1, verb_unlock},
    {"lock", NULL, N_("[NAME]"), N_("the same as token lock"), TAKES_ALWAYS, 0, 1, verb_lock},
    {"sign", NULL, N_("FILE..."), N_("sign files; each gets a FILE.p7s"), TAKES_SIGN, 1, -1, verb_sign},
    {"timestamp", NULL, N_("FILE..."), N_("time-stamp files; each gets a FILE.tst"),
	TAKES_ALWAYS | TAKES(HASH) | TAKES_OUT, 1, -1, verb_timestamp},
    {"verify", NULL, N_("FILE [FILE.p7s]"), N_("check a signature"),
	TAKES_ALWAYS | TAKES(CA) | TAKES(KEY) | TAKES(CERT) | TAKES(HASH) | TAKES(SCHEME), 1, 2, verb_verify},
    {"pdf", "sign", N_("FILE.pdf"), N_("sign a PDF file, in a copy of it: NAME.signed.pdf"), TAKES_PDF_SIGN, 1, 1,
	verb_pdf_sign},
    {"pdf", "verify", N_("FILE.pdf"), N_("check every signature in a PDF file"),
	TAKES_ALWAYS | TAKES(CA) | TAKES(VKEY), 1, 1, verb_pdf_verify},
    {"collect", NULL, "", N_("what became of an earlier request; fetch its signature again"),
	TAKES_ALWAYS | TAKES(REQUEST_ID) | TAKES(INDEX) | TAKES(OUT) | TAKES(STDOUT) | TAKES(FORCE), 0, 0,
	verb_collect},
    {"receipt", "verify", N_("FILE.receipt [DOCUMENT]"), N_("check a receipt; needs no daemon"),
	TAKES_ALWAYS | TAKES(VKEY), 1, 2, verb_receipt_verify},
    {"receipt", NULL, N_("FILE"), N_("save the log entry of its signature and the proof in FILE.receipt"),
	TAKES_ALWAYS | TAKES(VKEY) | TAKES(INDEX) | TAKES(REQUEST_ID) | TAKES_OUT, 1, 1, verb_receipt},
    {"mine", NULL, "", N_("your own entries in the signing log"), TAKES_ALWAYS | TAKES_FILTER, 0, 0,
	verb_mine},
    {"log", "show", N_("[NUMBER]"), N_("the newest entries of the signing log, or all of one"),
	TAKES_LOG | TAKES(FROM) | TAKES(LIMIT), 0, 1, verb_log_show},
    {"log", "search", "", N_("entries about a key, a person, a document, ..."), TAKES_LOG | TAKES_FILTER, 0,
	0, verb_log_search},
    {"log", "follow", "", N_("show entries as they are logged"), TAKES_ALWAYS | TAKES_FILTER, 0, 0,
	verb_log_follow},
    {"log", "head", "", N_("the newest checkpoint and the log's verifier key"), TAKES_LOG | TAKES_OUT, 0, 0,
	verb_log_head},
    {"log", "prove", N_("NUMBER"), N_("the proof that an entry stands in the log"), TAKES_LOG | TAKES_OUT, 1,
	1, verb_log_prove},
    {"log", "verify", "", N_("check that every entry is the one that was logged"),
	TAKES_LOG | TAKES(FROM_CHECKPOINT) | TAKES_OUT, 0, 0, verb_log_verify},
    {"log", "export", "", N_("entries for other programs, and for auditors"),
	TAKES_LOG | TAKES_FILTER | TAKES(FORMAT) | TAKES(TITLES) | TAKES_OUT, 0, 0, verb_log_export},
    {"log", "report", "", N_("a page about who signed what, and whether the log can be believed"),
	TAKES_LOG | TAKES(FROM) | TAKES(UNTIL) | TAKES_OUT, 0, 0, verb_log_report},
    {"inbox", "answer", N_("NUMBER"), N_("give the PIN that one of them asks for"), TAKES_ALWAYS | TAKES_PIN, 1, 1,
	verb_inbox_answer},
    {"inbox", "reject", N_("NUMBER"), N_("say no to one of them"), TAKES_ALWAYS | TAKES(REASON), 1, 1,
	verb_inbox_reject},
    {"inbox", NULL, "", N_("what waits for you: prompts of programs that need your token"), TAKES_ALWAYS, 0, 0,
	verb_inbox},
    {"agent", NULL, "", N_("stay, and ask you for the PIN when a program needs your token"),
	TAKES(SOCKET) | TAKES(HELP) | TAKES(VERSION) | TAKES(FRONTEND) | TAKES(PINENTRY), 0, 0, verb_agent},
    {"log", "erase", N_("NUMBER [TEXT]"), N_("erase the texts behind an entry; takes two people"),
	TAKES_ALWAYS | TAKES(REASON), 1, 2, verb_log_erase},
    {"log", "new-key", "", N_("let another key sign the log; takes two people"), TAKES_ALWAYS | TAKES(REASON), 0, 0,
	verb_log_new_key},
    {"log", "recover", "", N_("begin a new log after one that cannot go on; takes two people"),
	TAKES_ALWAYS | TAKES(REASON), 0, 0, verb_log_recover},
    {"backup", NULL, N_("DIR"), N_("copy log and configuration into a new folder, while signing goes on"),
	TAKES_ALWAYS | TAKES(WITH_KEYS), 1, 1, verb_backup},
    {"restore", NULL, N_("DIR"), N_("put the log of a backup in its place; signetd must not run"),
	TAKES_ALWAYS | TAKES(STATE), 1, 1, verb_restore},
    {"call", NULL, N_("METHOD [JSON]"), N_("any method of the daemon, for finding faults"),
	TAKES_ALWAYS | TAKES(TIMEOUT), 1, 2, verb_call},
    {"help", NULL, N_("[VERB]"), N_("show the help of a verb"), TAKES_ALWAYS, 0, 2, verb_help},
};
const size_t verb_count = array_len(verbs);

static int
run(struct ctl *c, int argc, char **argv)
{
	const struct verb *verb = NULL;
	int code;

	code = options_read(c, argc, argv, &verb);
	if (code >= 0)
		return code;
	code = verb->run(c);
	signet_close(c->conn);
	return code;
}

int
main(int argc, char **argv)
{
	struct ctl c = {0};
	int code;

	json_wipe_freed_memory();
	(void)setlocale(LC_ALL, "");
	(void)bindtextdomain("signet", SIGNET_LOCALEDIR);
	(void)textdomain("signet");
	code = run(&c, argc, argv);
	free(c.args);
	free(c.copies);
	/* a full disk behind stdout is a failure too */
	if (fflush(stdout) != 0 || ferror(stdout))
		code = code == CTL_OK ? fail_text(CTL_FAILED, _("cannot write to standard output")) : code;
	return code;
}

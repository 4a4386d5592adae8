/* Those who follow the tokens' states (Token.Watch). */
#ifndef SIGNET_SIGNETD_TOKEN_WATCH_H
#define SIGNET_SIGNETD_TOKEN_WATCH_H

struct broker;

/* Once before the loop sleeps: tell them what has changed. Costs nothing where nobody watches. */
void token_watch_turn(struct broker *b);
/* The configuration was read anew: everything is told again, and what is not there any more. */
void token_watch_reload(struct broker *b);

#endif

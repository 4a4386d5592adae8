/* Those who follow the log. */
#ifndef SIGNET_SIGNETD_LOG_READER_H
#define SIGNET_SIGNETD_LOG_READER_H

struct broker;

/* The log has grown: followers get what is new. */
void log_readers_wake(struct broker *b);

#endif

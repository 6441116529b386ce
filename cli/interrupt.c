#include "interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { GRACE_SECONDS = 1 };

static _Atomic(icl_model *) watched;
static const char *_Atomic last_words;
static volatile sig_atomic_t signalled;

/* Only calls that a signal handler may make. */
static void end_now(void)
{
    const char *sentence = atomic_load(&last_words);
    if (sentence != NULL) {
        ssize_t wrote = write(STDERR_FILENO, sentence, strlen(sentence));
        wrote += write(STDERR_FILENO, "\n", 1);
        (void)wrote;
    }
    _exit(CLI_CANCELLED);
}

static void on_signal(int number)
{
    icl_model *model = atomic_load(&watched);
    if (number == SIGALRM || signalled || model == NULL) end_now();
    signalled = 1;
    icl_model_interrupt(model);
    alarm(GRACE_SECONDS);
}

void interrupt_install(const char *sentence)
{
    atomic_store(&last_words, sentence);
    struct sigaction action = { .sa_handler = on_signal };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
}

void interrupt_watch(icl_model *model)
{
    atomic_store(&watched, model);
    if (model == NULL) alarm(0);
}

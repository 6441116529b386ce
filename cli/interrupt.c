#include "interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli.h"

enum { GRACE_MICROSECONDS = 700000 };

static _Atomic(icl_model *) watched;
static _Atomic(icl_training *) watched_training;
static const char *_Atomic last_words;
static volatile sig_atomic_t signalled, on_terminal;

static const char clear_line[] = "\r\033[K"; /* a progress line may stand there */

static void set_timer(long microseconds)
{
    const struct itimerval timer = { .it_value = { .tv_usec = microseconds } };
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* Only calls that a signal handler may make. */
static void end_now(void)
{
    const char *sentence = atomic_load(&last_words);
    if (sentence != NULL) {
        ssize_t wrote = 0;
        if (on_terminal) wrote += write(STDERR_FILENO, clear_line, sizeof clear_line - 1);
        wrote += write(STDERR_FILENO, sentence, strlen(sentence));
        wrote += write(STDERR_FILENO, "\n", 1);
        (void)wrote;
    }
    _exit(CLI_CANCELLED);
}

static void on_signal(int number)
{
    icl_model *model = atomic_load(&watched);
    icl_training *training = atomic_load(&watched_training);
    if (number != SIGALRM && !signalled && training != NULL) {
        signalled = 1;
        icl_training_cancel(training);
        return;
    }
    if (number == SIGALRM || signalled || model == NULL) end_now();
    signalled = 1;
    icl_model_interrupt(model);
    set_timer(GRACE_MICROSECONDS);
}

void interrupt_install(const char *sentence)
{
    atomic_store(&last_words, sentence);
    on_terminal = isatty(STDERR_FILENO);
    /* Interrupted reads and writes go on: the model's own stop, or the timer, ends the program. */
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
}

void interrupt_watch_training(icl_training *training)
{
    atomic_store(&watched_training, training);
}

void interrupt_watch(icl_model *model)
{
    atomic_store(&watched, model);
    if (model == NULL) set_timer(0);
}

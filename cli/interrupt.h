/* cli/interrupt.h - Ctrl-C and SIGTERM: stop within a second, keep what is finished.
 *
 * While a model is watched the first signal asks it to stop, and the running call returns
 * ICL_ECANCELLED; should that take too long, or when no model is watched, or on a
 * second signal, the program ends where it stands. That loses nothing either: the journal survives
 * it.
 */
#ifndef ICL_CLI_INTERRUPT_H
#define ICL_CLI_INTERRUPT_H

#include <icl/model.h>
#include <icl/train.h>

/* Installs the handlers. `sentence` is what a program ended on the spot says; it must stay. */
void interrupt_install(const char *sentence);

/* The model that signals stop; NULL: none. */
void interrupt_watch(icl_model *model);

/* The training that the first signal stops; NULL: none. It may take its time to write a checkpoint;
 * a second signal ends the program. */
void interrupt_watch_training(icl_training *training);

#endif

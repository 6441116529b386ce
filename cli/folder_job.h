/* cli/folder_job.h - the course of a verb whose results go into a folder: open the folder and the
 * engine, prepare, execute, write, print, and say what Ctrl-C left.
 *
 *   typedef struct run_state {
 *       folder_job folder;
 *       icl_run *run;
 *   } run_state;
 *   static const folder_steps steps = { .prepare = prepare, .execute = execute, ... };
 *   int code = folder_job_run(&state->folder, "snips", &steps, state);
 */
#ifndef ICL_CLI_FOLDER_JOB_H
#define ICL_CLI_FOLDER_JOB_H

#include <icl/report.h>

#include "job.h"
#include "outdir.h"
#include "progress.h"

typedef struct folder_arguments {
    const char *out; /* NULL: icl-out/NAME */
    bool resume, quiet;
} folder_arguments;

typedef struct folder_job {
    const cli_verb *verb;
    const job_arguments *job;
    const folder_arguments *arguments;
    cli_outdir outdir;
    cli_setup setup;
    cli_progress progress;
    icl_report_meter meter;
} folder_job;

/* What a verb does; `state` is its own. */
typedef struct folder_steps {
    const char *interrupted; /* said when the program ends on the spot */
    const char *preparing;   /* what the progress says meanwhile */
    icl_status (*prepare)(void *state);
    icl_status (*execute)(void *state); /* while the model is watched */
    icl_status (*write)(void *state);
    icl_status (*json)(char **out_text, const void *state);
    icl_status (*table)(char **out_text, const void *state);
    void (*print_files)(const char *folder); /* below the table: where the results are */
    void (*close)(void *state);              /* frees what needs the engine */
} folder_steps;

/* Exit code. The folder is icl-out/<name> where the arguments give none. */
int folder_job_run(folder_job *self, const char *name, const folder_steps *steps, void *state);

/* Neither progress nor a table is wanted on the terminal. */
bool folder_job_is_silent(const folder_job *self);

/* From the first answer on the folder is worth keeping. */
void folder_job_keep_answers(folder_job *self);

#endif

#include "folder_job.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "interrupt.h"

bool folder_job_is_silent(const folder_job *self)
{
    return self->arguments->quiet || self->job->json;
}

void folder_job_keep_answers(folder_job *self)
{
    const icl_meter meter = icl_engine_get_meter(self->setup.engine);
    if (meter.requests + meter.requests_cached > 0) outdir_begin(&self->outdir);
}

static icl_status prepare(folder_job *self, const folder_steps *steps, void *state)
{
    self->progress = progress_begin(!folder_job_is_silent(self));
    progress_say(&self->progress, "loading the model");
    icl_status status = outdir_open_engine(&self->outdir, &self->setup, &self->job->setup,
                                           self->arguments->resume, &self->progress);
    progress_say(&self->progress, steps->preparing);
    if (status == ICL_OK) status = steps->prepare(state);
    progress_clear(&self->progress);
    return status;
}

static icl_status execute(folder_job *self, const folder_steps *steps, void *state)
{
    interrupt_watch(self->setup.model);
    const icl_status status = steps->execute(state);
    interrupt_watch(NULL);
    progress_clear(&self->progress);
    folder_job_keep_answers(self);
    return status == ICL_OK ? steps->write(state) : status;
}

static icl_status print(const folder_job *self, const folder_steps *steps, const void *state)
{
    char *text = NULL;
    const bool json = self->job->json;
    if (!json && self->arguments->quiet) return ICL_OK;
    const icl_status status = json ? steps->json(&text, state) : steps->table(&text, state);
    if (status != ICL_OK) return status;
    fputs(text, stdout);
    free(text);
    if (json)
        putchar('\n');
    else
        steps->print_files(self->outdir.path);
    return ICL_OK;
}

static int work(folder_job *self, const folder_steps *steps, void *state)
{
    icl_status status = prepare(self, steps, state);
    if (status == ICL_ECANCELLED) return outdir_interrupted(&self->outdir, self->verb);
    if (status != ICL_OK) return cli_fail(self->verb, status, false);
    status = execute(self, steps, state);
    if (status == ICL_ECANCELLED) return outdir_interrupted(&self->outdir, self->verb);
    if (status == ICL_OK) status = print(self, steps, state);
    if (status != ICL_OK) return cli_fail(self->verb, status, true);
    return cli_finish_output(self->verb);
}

int folder_job_run(folder_job *self, const char *name, const folder_steps *steps, void *state)
{
    int code = CLI_REFUSED;
    interrupt_install(steps->interrupted);
    if (outdir_open(&self->outdir, self->verb, self->arguments->out, name, self->arguments->resume))
        code = work(self, steps, state);
    steps->close(state);
    setup_close(&self->setup);
    outdir_close(&self->outdir);
    return code;
}

/* tests/select/learned.h - fits a method as a user types it and leaves the file in a temporary
 * place.
 *
 *   char path[LEARNED_PATH_BYTES];
 *   fit_well(path, &input, "epr(epochs=3)");        // input.asker is set
 *   icl_selection selection = select_fitted(&input, "epr(k=2,file=\"%s\")", path);
 *   unlink(path);
 */
#ifndef TESTS_SELECT_LEARNED_H
#define TESTS_SELECT_LEARNED_H

#include <stdio.h>
#include <unistd.h>

#include "select/fit.h"
#include "select/select_call.h"

enum { LEARNED_PATH_BYTES = 32 };

static inline icl_status fit_status(icl_fit_file **out, const icl_select_input *input,
                                    const char *text, const icl_fit_progress *progress)
{
    icl_call call = { 0 };
    icl_options options = { 0 };
    const icl_select_method *method = NULL;
    icl_status status = icl_call_parse(&call, text, strlen(text));
    if (status == ICL_OK) status = icl_select_find(&method, call.name);
    if (status == ICL_OK) status = icl_options_read(&options, &method->card, &call);
    if (status == ICL_OK) status = icl_fit_run(out, method, input, &options, progress);
    icl_options_deinit(&options);
    icl_call_deinit(&call);
    return status;
}

static inline void save_well(char path[LEARNED_PATH_BYTES], const icl_fit_file *file)
{
    strcpy(path, "/tmp/icl-learned-XXXXXX");
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    assert_int_equal(icl_fit_file_save(file, path), ICL_OK);
}

static inline icl_fit_file *fit_well(char path[LEARNED_PATH_BYTES], const icl_select_input *input,
                                     const char *text)
{
    icl_fit_file *file = NULL;
    if (fit_status(&file, input, text, NULL) != ICL_OK)
        fail_msg("%s: %s", text, icl_error_message());
    save_well(path, file);
    return file;
}

/* A measure of the file; it has to be there. */
static inline double measure_of(const icl_fit_file *file, const char *name)
{
    size_t count = 0;
    const icl_fit_measure *measures = icl_fit_file_measures(file, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(measures[i].name, name) == 0) return measures[i].value;
    fail_msg("the file has no measure \"%s\"", name);
    return 0;
}

#endif

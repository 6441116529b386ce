/* Labels the queries of a task and prints accuracy and cost: the whole library in one page.
 *
 *   classify [TASK [MODEL.gguf]]
 */
#include <stdio.h>
#include <stdlib.h>

#include <icl/engine.h>
#include <icl/model.h>
#include <icl/run.h>
#include <icl/task.h>

static int complain(void)
{
    fprintf(stderr, "classify: %s\n", icl_error_message());
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    icl_task *task = NULL;
    icl_model *model = NULL;
    icl_engine *engine = NULL;
    icl_run *run = NULL;
    char *found = NULL;
    icl_status status = icl_task_find(&task, argc > 1 ? argv[1] : "tiny");
    if (status == ICL_OK && argc <= 2) status = icl_model_default_path(&found);
    if (status == ICL_OK) status = icl_model_open(&model, argc > 2 ? argv[2] : found, NULL);
    if (status == ICL_OK) status = icl_engine_open(&engine, model, NULL);
    if (status == ICL_OK) {
        icl_run_options options = icl_run_options_default();
        options.task = task;
        options.strategy = "select=bm25(k=4) order=nearest-last calibrate=batch";
        status = icl_run_new(&run, engine, &options);
    }
    if (status == ICL_OK) status = icl_run_execute(run);
    if (status == ICL_OK) {
        const icl_metrics *metrics = &icl_run_get_summary(run)->metrics;
        const icl_meter meter = icl_engine_get_meter(engine);
        printf("n %zu, accuracy %.3f [%.3f, %.3f], majority %.3f\n", metrics->count,
               metrics->accuracy, metrics->accuracy_ci95[0], metrics->accuracy_ci95[1],
               metrics->majority_accuracy);
        printf("tokens asked %llu, evaluated %llu\n", (unsigned long long)meter.tokens_asked,
               (unsigned long long)meter.tokens_evaluated);
    }
    const int code = status == ICL_OK ? EXIT_SUCCESS : complain();
    icl_run_free(run);
    icl_engine_close(engine);
    icl_model_close(model);
    icl_task_free(task);
    free(found);
    return code;
}

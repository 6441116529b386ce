/* A task on the copying model, whose figures can be worked out by hand. */
#ifndef ICL_TESTS_PIPELINE_COPYING_WORLD_H
#define ICL_TESTS_PIPELINE_COPYING_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <icl/sys/model.h>
#include <icl/task.h>

#include "copying_model.h"
#include "write_file.h"

/* 4 nats for the letter that the last demonstration's label starts with, 1 nat always for 'p'. */
static inline void copying_logits(void *user, float *out, const int32_t *context, size_t count)
{
    copy_last_label(out, context, count, 4);
    out['p'] += 1;
}

typedef struct world {
    char folder[64], train[96], test[96];
    icl_task *task;
    icl_model *model;
    icl_engine *engine;
} test_world;

static inline void open_world(test_world *world, const char *train, const char *test)
{
    *world = (test_world){ .task = NULL };
    snprintf(world->folder, sizeof world->folder, "/tmp/icl-test-run-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->train, sizeof world->train, "%s/train.jsonl", world->folder);
    snprintf(world->test, sizeof world->test, "%s/test.jsonl", world->folder);
    write_file(world->train, train);
    write_file(world->test, test);
    assert_int_equal(icl_task_default(&world->task), ICL_OK);
    assert_int_equal(icl_task_set_text(world->task, ICL_TASK_TRAIN_PATH, world->train), ICL_OK);
    assert_int_equal(icl_task_set_text(world->task, ICL_TASK_TEST_PATH, world->test), ICL_OK);
    assert_int_equal(icl_model_open_table(&world->model, copying_logits, NULL, 0), ICL_OK);
    assert_int_equal(icl_engine_open(&world->engine, world->model, NULL), ICL_OK);
}

static inline int close_world(void **state)
{
    test_world *world = *state;
    icl_engine_close(world->engine);
    icl_model_close(world->model);
    icl_task_free(world->task);
    unlink(world->train);
    unlink(world->test);
    rmdir(world->folder);
    return 0;
}

#endif

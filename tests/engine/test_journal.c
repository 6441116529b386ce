/* What the journal keeps and whom it refuses, and runs that find their answers in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <icl/engine.h>
#include <icl/sys/model.h>

#include "base/file.h"
#include "base/hash.h"
#include "engine/batch.h"
#include "engine/journal.h"
#include "hashed_model.h"

typedef struct scratch_folder {
    char path[64];
    char journal[96];
} scratch_folder;

static int make_folder(void **state)
{
    scratch_folder *folder = calloc(1, sizeof *folder);
    if (folder == NULL) return -1;
    snprintf(folder->path, sizeof folder->path, "/tmp/icl-journal-XXXXXX");
    if (mkdtemp(folder->path) == NULL) return -1;
    snprintf(folder->journal, sizeof folder->journal, "%s/journal.sqlite", folder->path);
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    scratch_folder *folder = *state;
    const char *endings[] = { "", "-wal", "-shm", "-journal" };
    for (size_t i = 0; i < 4; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", folder->journal, endings[i]);
        unlink(path);
    }
    const int result = rmdir(folder->path);
    free(folder);
    return result;
}

static icl_journal *open_journal(const scratch_folder *folder)
{
    icl_journal *journal = NULL;
    if (icl_journal_open(&journal, folder->journal) != ICL_OK) fail_msg("%s", icl_error_message());
    return journal;
}

static icl_hash128 key_of(const char *text)
{
    return icl_hash(text, strlen(text));
}

static bool has(icl_journal *journal, const char *key, const char *expected)
{
    char value[64] = "";
    bool found = false;
    assert_int_equal(icl_journal_get(journal, key_of(key), value, strlen(expected), &found),
                     ICL_OK);
    if (found) assert_memory_equal(value, expected, strlen(expected));
    return found;
}

static void put(icl_journal *journal, const char *key, const char *value)
{
    assert_int_equal(icl_journal_put(journal, key_of(key), value, strlen(value)), ICL_OK);
}

static void test_journal__keeps_what_was_committed(void **state)
{
    icl_journal *journal = open_journal(*state);
    assert_false(has(journal, "one", "first"));
    assert_int_equal(icl_journal_begin(journal), ICL_OK);
    put(journal, "one", "first");
    put(journal, "two", "second");
    assert_int_equal(icl_journal_commit(journal), ICL_OK);
    assert_true(has(journal, "one", "first"));
    icl_journal_close(journal);

    journal = open_journal(*state);
    assert_true(has(journal, "one", "first"));
    assert_true(has(journal, "two", "second"));
    assert_false(has(journal, "three", "third"));
    icl_journal_close(journal);
}

static void test_journal__a_later_value_replaces_an_earlier_one(void **state)
{
    icl_journal *journal = open_journal(*state);
    assert_int_equal(icl_journal_begin(journal), ICL_OK);
    put(journal, "one", "first");
    put(journal, "one", "again");
    assert_int_equal(icl_journal_commit(journal), ICL_OK);
    assert_true(has(journal, "one", "again"));
    icl_journal_close(journal);
}

/* A value of another size was written for another question: it counts as absent. */
static void test_journal__a_value_of_another_size_is_not_found(void **state)
{
    icl_journal *journal = open_journal(*state);
    assert_int_equal(icl_journal_begin(journal), ICL_OK);
    put(journal, "one", "first");
    assert_int_equal(icl_journal_commit(journal), ICL_OK);
    assert_false(has(journal, "one", "firs"));
    assert_false(has(journal, "one", "first and more"));
    assert_true(has(journal, "one", "first"));
    icl_journal_close(journal);
}

/* A process killed in the middle of a transaction loses that transaction and nothing else. */
static void test_journal__survives_a_killed_writer(void **state)
{
    const scratch_folder *folder = *state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        icl_journal *journal = NULL;
        bool ok = icl_journal_open(&journal, folder->journal) == ICL_OK &&
                  icl_journal_begin(journal) == ICL_OK &&
                  icl_journal_put(journal, key_of("kept"), "yes", 3) == ICL_OK &&
                  icl_journal_commit(journal) == ICL_OK && icl_journal_begin(journal) == ICL_OK &&
                  icl_journal_put(journal, key_of("lost"), "no", 2) == ICL_OK;
        if (!ok) _exit(1);
        raise(SIGKILL);
    }
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result));
    icl_journal *journal = open_journal(folder);
    assert_true(has(journal, "kept", "yes"));
    assert_false(has(journal, "lost", "no"));
    icl_journal_close(journal);
}

/* Opens the journal in another process, started before this one holds any lock. */
static void test_journal__a_second_opener_is_refused(void **state)
{
    const scratch_folder *folder = *state;
    int start[2];
    char byte = 0;
    assert_int_equal(pipe(start), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        icl_journal *journal = NULL;
        if (read(start[0], &byte, 1) != 1) _exit(100);
        const icl_status status = icl_journal_open(&journal, folder->journal);
        const bool named = strstr(icl_error_message(), "is in use by another run") != NULL;
        _exit(status == ICL_EBUSY && named && journal == NULL ? 0 : 1);
    }
    icl_journal *journal = open_journal(folder);
    assert_int_equal(write(start[1], &byte, 1), 1);
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    close(start[0]);
    close(start[1]);
    /* The first one is not disturbed, and the file is free again after it. */
    assert_int_equal(icl_journal_begin(journal), ICL_OK);
    put(journal, "one", "first");
    assert_int_equal(icl_journal_commit(journal), ICL_OK);
    icl_journal_close(journal);
    journal = open_journal(folder);
    assert_true(has(journal, "one", "first"));
    icl_journal_close(journal);
}

static void check_refused(const char *path, const char *sentence)
{
    icl_journal *journal = NULL;
    assert_int_equal(icl_journal_open(&journal, path), ICL_EIO);
    assert_null(journal);
    if (strstr(icl_error_message(), path) == NULL || strstr(icl_error_message(), sentence) == NULL)
        fail_msg("\"%s\" does not name \"%s\" and \"%s\"", icl_error_message(), path, sentence);
}

static void test_journal__another_kind_of_file_is_refused_and_left_alone(void **state)
{
    const scratch_folder *folder = *state;
    const char *text = "{\"id\": 1}\n{\"id\": 2}\n";
    assert_int_equal(icl_file_write_atomic(folder->journal, text, strlen(text)), ICL_OK);
    check_refused(folder->journal, "not a database");
    icl_text after = { 0 };
    assert_int_equal(icl_file_read(&after, folder->journal, 4096), ICL_OK);
    assert_string_equal(icl_text_string(&after), text);
    icl_text_deinit(&after);
}

static void test_journal__a_missing_folder_is_named(void **state)
{
    const scratch_folder *folder = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/absent/journal.sqlite", folder->path);
    check_refused(path, "unable to open");
}

/* ---- runs ---- */

enum { PREFIXES = 12, LABELS = 5, QUESTIONS = LABELS + 3 };

static icl_status add_question(icl_batch *batch, size_t prefix, int32_t question)
{
    size_t request;
    const int32_t words[] = { 'x' + question % 2, 'y', 'z' };
    if (question < LABELS)
        return icl_batch_add_score(batch, prefix, words, 1 + (size_t)question / 2, &request);
    if (question == LABELS) return icl_batch_add_distribution(batch, prefix, 3, &request);
    return question == LABELS + 1 ? icl_batch_add_whole_distribution(batch, prefix, &request)
                                  : icl_batch_add_hidden(batch, prefix, &request);
}

/* Every prefix with five labels of one to three tokens, a distribution, a whole one and a hidden
 * state. With `only`, the requests that have no answer there. */
static icl_batch *batch_of_questions(const icl_batch *only)
{
    icl_batch *batch = NULL;
    size_t prefix, at = 0;
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    for (int32_t p = 0; p < PREFIXES; p++) {
        const int32_t tokens[] = { 'a', 'b', 'c', 'd', 'e' + p / 4, 'p' + p };
        assert_int_equal(icl_batch_add_prefix(batch, tokens, 6, &prefix), ICL_OK);
        for (int32_t question = 0; question < QUESTIONS; question++, at++) {
            if (only != NULL && only->requests[at].answered) continue;
            assert_int_equal(add_question(batch, prefix, question), ICL_OK);
        }
    }
    return batch;
}

typedef struct run_record {
    icl_status status;
    icl_meter meter;
    size_t evaluations; /* rows that the model computed */
} run_record;

typedef struct interruption {
    icl_model *model;
    size_t calls_left;
} interruption;

static void stop_soon(void *user, uint64_t done, uint64_t total)
{
    interruption *plan = user;
    assert_true(done <= total);
    if (plan->calls_left > 0 && --plan->calls_left == 0) icl_model_interrupt(plan->model);
}

/* A fresh model and engine answer the batch; interrupted after `calls` calls, or never when 0. */
static run_record run(icl_batch *batch, const char *journal_path, size_t calls)
{
    run_record record = { 0 };
    icl_model *model = NULL;
    icl_engine *engine = NULL;
    const icl_table table = { .logits = hashed_logits,
                              .hidden = hashed_state,
                              .hidden_size = STATE_SIZE,
                              .user = &record.evaluations };
    assert_int_equal(icl_model_open_table_of(&model, &table), ICL_OK);
    interruption plan = { .model = model, .calls_left = calls };
    icl_engine_options options = icl_engine_options_default();
    options.journal_path = journal_path;
    options.call_tokens_max = 8;
    options.progress = stop_soon;
    options.progress_user = &plan;
    if (icl_engine_open(&engine, model, &options) != ICL_OK) fail_msg("%s", icl_error_message());
    record.status = icl_engine_run(engine, batch);
    record.meter = icl_engine_get_meter(engine);
    icl_engine_close(engine);
    icl_model_close(model);
    return record;
}

static void assert_same_scores(const icl_batch *a, const icl_batch *b, size_t r)
{
    size_t count, other;
    const double *first = icl_batch_token_logprobs_nats(a, r, &count);
    const double *second = icl_batch_token_logprobs_nats(b, r, &other);
    assert_int_equal(count, other);
    assert_memory_equal(first, second, count * sizeof *first);
    assert_int_equal(icl_batch_is_greedy(a, r), icl_batch_is_greedy(b, r));
}

static void assert_same_distributions(const icl_batch *a, const icl_batch *b, size_t r)
{
    size_t count, other;
    const double *first, *second;
    const int32_t *top = icl_batch_top_tokens(a, r, &first, &count);
    const int32_t *top_other = icl_batch_top_tokens(b, r, &second, &other);
    const double entropies[] = { icl_batch_entropy_nats(a, r), icl_batch_entropy_nats(b, r) };
    assert_int_equal(count, other);
    assert_memory_equal(top, top_other, count * sizeof *top);
    assert_memory_equal(first, second, count * sizeof *first);
    assert_memory_equal(&entropies[0], &entropies[1], sizeof entropies[0]);
}

static void assert_same_vectors(const icl_batch *a, const icl_batch *b, size_t r)
{
    const icl_request *first = &a->requests[r], *second = &b->requests[r];
    assert_int_equal(first->vector_size, first->kind == REQUEST_HIDDEN ? STATE_SIZE : VOCAB_COUNT);
    assert_int_equal(first->vector_size, second->vector_size);
    assert_memory_equal(first->vector, second->vector, first->vector_size * sizeof(float));
}

static void assert_same_answers(const icl_batch *a, const icl_batch *b)
{
    assert_int_equal(icl_batch_count(a), icl_batch_count(b));
    for (size_t r = 0; r < icl_batch_count(a); r++) {
        assert_int_equal(a->requests[r].kind, b->requests[r].kind);
        if (a->requests[r].kind == REQUEST_SCORE)
            assert_same_scores(a, b, r);
        else if (a->requests[r].kind == REQUEST_DISTRIBUTION)
            assert_same_distributions(a, b, r);
        else
            assert_same_vectors(a, b, r);
    }
}

static void test_journal__a_second_run_evaluates_nothing(void **state)
{
    const scratch_folder *folder = *state;
    icl_batch *first = batch_of_questions(NULL), *second = batch_of_questions(NULL);
    const run_record fresh = run(first, folder->journal, 0);
    assert_int_equal(fresh.status, ICL_OK);
    assert_int_equal(fresh.meter.requests_cached, 0);
    assert_int_equal(fresh.meter.requests, icl_batch_count(first));
    assert_int_equal(fresh.evaluations, fresh.meter.logits_rows);
    const run_record recalled = run(second, folder->journal, 0);
    assert_int_equal(recalled.status, ICL_OK);
    assert_int_equal(recalled.meter.requests_cached, icl_batch_count(second));
    assert_int_equal(recalled.meter.tokens_evaluated, 0);
    assert_int_equal(recalled.meter.calls, 0);
    assert_int_equal(recalled.evaluations, 0);
    assert_same_answers(first, second);
    icl_batch_free(first);
    icl_batch_free(second);
}

static size_t answered_count(const icl_batch *batch)
{
    size_t count = 0;
    for (size_t r = 0; r < batch->request_count; r++) count += batch->requests[r].answered;
    return count;
}

/* Tokens of the trie of the requests that are not answered yet. */
static uint64_t tokens_left(const icl_batch *batch)
{
    icl_batch *rest = batch_of_questions(batch);
    icl_plan *plan = NULL;
    const icl_plan_limits limits = {
        .cells_max = 1024, .call_tokens_max = 8, .sequences_max = 255, .row_floor = 1
    };
    assert_int_equal(icl_plan_new(&plan, rest, &limits), ICL_OK);
    const uint64_t tokens = icl_plan_get_stats(plan)->tokens_trie;
    icl_plan_free(plan);
    icl_batch_free(rest);
    return tokens;
}

/* Interrupted after any number of calls and resumed by a new engine: what was finished is recalled,
 * the rest is evaluated, and the answers are those of an undisturbed run. */
static void test_journal__an_interrupted_run_goes_on_where_it_stopped(void **state)
{
    const scratch_folder *folder = *state;
    icl_batch *expected = batch_of_questions(NULL);
    const run_record whole = run(expected, NULL, 0);
    assert_int_equal(whole.status, ICL_OK);
    assert_true(whole.meter.calls > 4);
    for (size_t calls = 1; calls < whole.meter.calls; calls++) {
        icl_batch *cut = batch_of_questions(NULL), *resumed = batch_of_questions(NULL);
        const run_record first = run(cut, folder->journal, calls);
        assert_int_equal(first.status, ICL_ECANCELLED);
        assert_int_equal(first.meter.calls, calls);
        const size_t finished = answered_count(cut);
        assert_true(finished < icl_batch_count(cut));
        const run_record second = run(resumed, folder->journal, 0);
        assert_int_equal(second.status, ICL_OK);
        assert_int_equal(second.meter.requests_cached, finished);
        assert_int_equal(second.meter.requests, icl_batch_count(cut) - finished);
        assert_int_equal(second.meter.tokens_evaluated, tokens_left(cut));
        assert_same_answers(resumed, expected);
        icl_batch_free(cut);
        icl_batch_free(resumed);
        assert_int_equal(unlink(folder->journal), 0);
    }
    icl_batch_free(expected);
}

/* Without a journal too, a batch keeps the answers that it has. */
static void test_journal__an_interrupted_batch_can_be_run_again(void **state)
{
    (void)state;
    icl_batch *expected = batch_of_questions(NULL), *batch = batch_of_questions(NULL);
    assert_int_equal(run(expected, NULL, 0).status, ICL_OK);
    assert_int_equal(run(batch, NULL, 3).status, ICL_ECANCELLED);
    const size_t finished = answered_count(batch);
    assert_true(finished > 0);
    const uint64_t left = tokens_left(batch);
    const run_record rest = run(batch, NULL, 0);
    assert_int_equal(rest.status, ICL_OK);
    assert_int_equal(rest.meter.requests, icl_batch_count(batch) - finished);
    assert_int_equal(rest.meter.tokens_evaluated, left);
    assert_same_answers(batch, expected);
    icl_batch_free(batch);
    icl_batch_free(expected);
}

#define with_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_folder(test_journal__keeps_what_was_committed),
        with_folder(test_journal__a_later_value_replaces_an_earlier_one),
        with_folder(test_journal__a_value_of_another_size_is_not_found),
        with_folder(test_journal__survives_a_killed_writer),
        with_folder(test_journal__a_second_opener_is_refused),
        with_folder(test_journal__another_kind_of_file_is_refused_and_left_alone),
        with_folder(test_journal__a_missing_folder_is_named),
        with_folder(test_journal__a_second_run_evaluates_nothing),
        with_folder(test_journal__an_interrupted_run_goes_on_where_it_stopped),
        cmocka_unit_test(test_journal__an_interrupted_batch_can_be_run_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

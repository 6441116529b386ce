/* The shipped model and random ones through llama.cpp: what a run may rely on. */
#include "engine/writer.h"
#include "learn/written_model.h"
#include "shipped_model.h"

#include <icl/engine.h>
#include <icl/model.h>

enum { REQUESTS = 20, PREFIX_MAX = 260 };

typedef struct question_set {
    int32_t prefix[REQUESTS][PREFIX_MAX];
    size_t prefix_length[REQUESTS];
    int32_t label[REQUESTS][3];
    size_t label_length[REQUESTS];
} question_set;

/* Half of the prefixes share 200 tokens, the rest nothing; labels have one to three tokens. */
static void draw_questions(question_set *out, size_t vocab_count)
{
    icl_rng rng = icl_rng_new(11, "llama", NULL, NULL);
    for (size_t r = 0; r < REQUESTS; r++) {
        icl_rng shared = icl_rng_new(12, "llama", NULL, NULL);
        out->prefix_length[r] = 201 + icl_rng_below(&rng, PREFIX_MAX - 201);
        for (size_t i = 0; i < out->prefix_length[r]; i++)
            out->prefix[r][i] =
                (int32_t)icl_rng_below(r % 2 == 0 && i < 200 ? &shared : &rng, vocab_count);
        out->label_length[r] = 1 + icl_rng_below(&rng, 3);
        for (size_t i = 0; i < 3; i++) out->label[r][i] = (int32_t)icl_rng_below(&rng, vocab_count);
    }
}

static icl_model *open_model(const char *path, int threads)
{
    icl_model *model = NULL;
    icl_model_options options = icl_model_options_default();
    options.thread_count = threads;
    if (icl_model_open(&model, path, &options) != ICL_OK) fail_msg("%s", icl_error_message());
    return model;
}

/* Answers of the questions order[0..count-1], asked as one batch in calls of `call_tokens`. */
static void ask(double *out, icl_model *model, const question_set *questions, const size_t *order,
                size_t count, size_t call_tokens)
{
    icl_engine_options options = icl_engine_options_default();
    options.call_tokens_max = call_tokens;
    icl_engine *engine = NULL;
    icl_batch *batch = NULL;
    assert_int_equal(icl_engine_open(&engine, model, &options), ICL_OK);
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    for (size_t i = 0; i < count; i++) {
        size_t prefix, request;
        const size_t r = order[i];
        assert_int_equal(
            icl_batch_add_prefix(batch, questions->prefix[r], questions->prefix_length[r], &prefix),
            ICL_OK);
        assert_int_equal(icl_batch_add_score(batch, prefix, questions->label[r],
                                             questions->label_length[r], &request),
                         ICL_OK);
    }
    if (icl_engine_run(engine, batch) != ICL_OK) fail_msg("%s", icl_error_message());
    for (size_t i = 0; i < count; i++) out[i] = icl_batch_logprob_nats(batch, i);
    icl_batch_free(batch);
    icl_engine_close(engine);
}

/* Law 3 on real kernels: alone, together, shuffled, in calls of any size, on one thread or two. */
static void check_exact(const char *path)
{
    static question_set questions;
    icl_model *model = open_model(path, 1), *threaded = open_model(path, 2);
    if (!icl_model_get_info(model)->exact) skip();
    draw_questions(&questions, icl_model_get_info(model)->vocab_count);
    size_t order[REQUESTS];
    double together[REQUESTS], other[REQUESTS];
    for (size_t i = 0; i < REQUESTS; i++) order[i] = i;
    ask(together, model, &questions, order, REQUESTS, 0);
    ask(other, threaded, &questions, order, REQUESTS, 100);
    assert_memory_equal(together, other, sizeof together);
    ask(other, model, &questions, order, REQUESTS, 37);
    assert_memory_equal(together, other, sizeof together);
    for (size_t i = 0; i < REQUESTS; i += 7) {
        ask(other, model, &questions, &order[i], 1, 0);
        assert_memory_equal(&together[i], other, sizeof *other);
    }
    icl_rng rng = icl_rng_new(3, NULL, NULL, NULL);
    icl_rng_shuffle(&rng, order, REQUESTS);
    ask(other, model, &questions, order, REQUESTS, 0);
    for (size_t i = 0; i < REQUESTS; i++)
        assert_memory_equal(&together[order[i]], &other[i], sizeof *other);
    icl_model_close(model);
    icl_model_close(threaded);
}

/* Whole distributions and hidden states of the questions' prefixes order[0..count-1], one behind
 * the other in `out`; without `hidden` the distributions alone. */
static float *ask_vectors(icl_model *model, const question_set *questions, const size_t *order,
                          size_t count, size_t call_tokens, bool hidden)
{
    const icl_model_info *info = icl_model_get_info(model);
    const size_t width = info->vocab_count + (hidden ? info->embedding_size : 0);
    float *out = calloc(count * width, sizeof *out);
    icl_engine_options options = icl_engine_options_default();
    options.call_tokens_max = call_tokens;
    icl_engine *engine = NULL;
    icl_batch *batch = NULL;
    size_t wholes[REQUESTS], states[REQUESTS], prefix, size;
    assert_non_null(out);
    assert_int_equal(icl_engine_open(&engine, model, &options), ICL_OK);
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    for (size_t i = 0; i < count; i++) {
        const size_t r = order[i];
        assert_int_equal(
            icl_batch_add_prefix(batch, questions->prefix[r], questions->prefix_length[r], &prefix),
            ICL_OK);
        assert_int_equal(icl_batch_add_whole_distribution(batch, prefix, &wholes[i]), ICL_OK);
        if (hidden) assert_int_equal(icl_batch_add_hidden(batch, prefix, &states[i]), ICL_OK);
    }
    if (icl_engine_run(engine, batch) != ICL_OK) fail_msg("%s", icl_error_message());
    for (size_t i = 0; i < count; i++) {
        float *row = out + i * width;
        memcpy(row, icl_batch_whole_distribution_nats(batch, wholes[i], &size),
               info->vocab_count * sizeof *row);
        if (hidden)
            memcpy(row + info->vocab_count, icl_batch_hidden(batch, states[i], &size),
                   info->embedding_size * sizeof *row);
    }
    icl_batch_free(batch);
    icl_engine_close(engine);
    return out;
}

/* Law 3 for vectors; and logits have the same bytes whether states are read or not. */
static void check_exact_vectors(const char *path)
{
    static question_set questions;
    icl_model *model = open_model(path, 1), *threaded = open_model(path, 2);
    const icl_model_info *info = icl_model_get_info(model);
    if (!info->exact) skip();
    const size_t vocab = info->vocab_count, width = vocab + info->embedding_size;
    draw_questions(&questions, vocab);
    size_t order[REQUESTS];
    for (size_t i = 0; i < REQUESTS; i++) order[i] = i;
    float *plain = ask_vectors(model, &questions, order, REQUESTS, 0, false);
    float *together = ask_vectors(model, &questions, order, REQUESTS, 0, true);
    float *other = ask_vectors(threaded, &questions, order, REQUESTS, 37, true);
    assert_memory_equal(together, other, REQUESTS * width * sizeof *other);
    for (size_t i = 0; i < REQUESTS; i++)
        assert_memory_equal(plain + i * vocab, together + i * width, vocab * sizeof *plain);
    for (size_t i = 0; i < REQUESTS; i += 7) {
        float *alone = ask_vectors(model, &questions, &order[i], 1, 0, true);
        assert_memory_equal(together + i * width, alone, width * sizeof *alone);
        free(alone);
    }
    free(plain);
    free(together);
    free(other);
    icl_model_close(model);
    icl_model_close(threaded);
}

/* Wide enough for every kernel to share its work among threads; two queries' heads to a key's. */
static void write_random_model(const char *path, icl_weight_type type)
{
    const icl_model_file_options options = { .type = type, .name = "random" };
    icl_transformer_config config = written_config();
    config.width = 256;
    config.feed_width = 512;
    config.window = 512;
    icl_device *device = open_cpu();
    icl_bpe *bpe = small_bpe();
    icl_transformer *model = random_model(device, &config);
    assert_ok(icl_model_file_write(path, model, bpe, &options));
    icl_transformer_free(model);
    icl_bpe_free(bpe);
    icl_device_close(device);
}

static void test_model_llama__answers_do_not_depend_on_the_batch(void **state)
{
    write_random_model("f32.gguf", ICL_WEIGHT_F32);
    check_exact("f32.gguf");
    write_random_model("f16.gguf", ICL_WEIGHT_F16);
    check_exact("f16.gguf");
    check_exact(SHIPPED_MODEL); /* q8_0 */
}

static void test_model_llama__vectors_do_not_depend_on_the_batch(void **state)
{
    (void)state;
    write_random_model("f32.gguf", ICL_WEIGHT_F32);
    check_exact_vectors("f32.gguf");
    check_exact_vectors(SHIPPED_MODEL);
}

/* ---- text that grows ---- */

enum { WRITTEN_TEXTS = 9, WRITTEN_PROMPT = 60, WRITTEN_ROUNDS = 7 };

static icl_status write_round(writer *self, icl_engine *engine)
{
    icl_batch *batch = NULL;
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    assert_int_equal(writer_ask(self, batch, 30), ICL_OK);
    const icl_status status = icl_engine_run(engine, batch);
    if (status == ICL_OK) writer_take(self, batch, WRITTEN_PROMPT);
    icl_batch_free(batch);
    return status;
}

/* Rarely enough for every round to end at the second try. */
static void interrupt_some(void *user, uint64_t done, uint64_t total)
{
    static size_t calls;
    (void)done;
    (void)total;
    if (++calls % 30 == 4) icl_model_interrupt(user);
}

/* Answers to a writer; a round that is interrupted is asked again. */
static icl_hash128 write_texts(icl_model *model, const icl_engine_options *options, bool keeps,
                               uint64_t *out_tokens)
{
    static writer self, saved;
    icl_engine *engine = NULL;
    assert_int_equal(icl_engine_open(&engine, model, options), ICL_OK);
    self.keeps = keeps;
    self.hidden = true;
    writer_begin(&self, 5, WRITTEN_TEXTS, WRITTEN_PROMPT, icl_model_get_info(model)->vocab_count);
    for (size_t round = 0; round < WRITTEN_ROUNDS;) {
        saved = self;
        const icl_status status = write_round(&self, engine);
        round += status == ICL_OK;
        icl_model_clear_interrupt(model);
        if (status != ICL_OK) self = saved;
        if (status != ICL_OK && status != ICL_ECANCELLED) fail_msg("%s", icl_error_message());
    }
    *out_tokens = icl_engine_get_meter(engine).tokens_trie;
    icl_engine_close(engine);
    return icl_hash_end(&self.answers);
}

/* Law 3 for cells that stay: kept, let go for want of room, read again after an interruption. */
static void check_kept(const char *path)
{
    icl_model *model = open_model(path, 1), *threaded = open_model(path, 2);
    const icl_model_info *info = icl_model_get_info(model);
    if (!info->exact) skip();
    uint64_t alone, kept, other;
    const icl_engine_options plain = icl_engine_options_default();
    const icl_engine_options small = { .cache_bytes_max = 250 * info->bytes_per_cell };
    const icl_engine_options cut = { .call_tokens_max = 23 };
    const icl_engine_options stopped = { .call_tokens_max = 50,
                                         .progress = interrupt_some,
                                         .progress_user = model };
    const icl_hash128 expected = write_texts(model, &plain, false, &alone);
    const icl_hash128 answers[] = { write_texts(model, &plain, true, &kept),
                                    write_texts(threaded, &cut, true, &other),
                                    write_texts(model, &small, true, &other),
                                    write_texts(model, &stopped, true, &other) };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        assert_memory_equal(&answers[i], &expected, sizeof expected);
    assert_true(3 * kept < 2 * alone);
    icl_model_close(model);
    icl_model_close(threaded);
}

static void test_model_llama__cells_that_stay_change_no_answer(void **state)
{
    write_random_model("f32.gguf", ICL_WEIGHT_F32);
    check_kept("f32.gguf");
    write_random_model("f16.gguf", ICL_WEIGHT_F16);
    check_kept("f16.gguf");
    check_kept(SHIPPED_MODEL);
}

static void expect_refusal(const char *path, icl_status expected, const char *part)
{
    icl_model *model = NULL;
    assert_int_equal(icl_model_open(&model, path, NULL), expected);
    assert_null(model);
    if (strstr(icl_error_message(), part) == NULL) fail_msg("%s", icl_error_message());
}

static void write_part(const char *to, const char *from, size_t bytes)
{
    char *copy = malloc(bytes);
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(copy);
    assert_non_null(in);
    assert_non_null(out);
    assert_int_equal(fread(copy, 1, bytes, in), bytes);
    assert_int_equal(fwrite(copy, 1, bytes, out), bytes);
    fclose(in);
    fclose(out);
    free(copy);
}

static void test_model_llama__wrong_files_are_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char path[] = "wrong.gguf";
    write_part(path, SHIPPED_MODEL, 0);
    expect_refusal("/nonexistent/model.gguf", ICL_EIO, "/nonexistent/model.gguf");
    expect_refusal(path, ICL_EMODEL, "is not a GGUF model file");
    expect_refusal(ICL_SOURCE_DIR "/LICENSE", ICL_EMODEL, "is not a GGUF model file");
    write_part(path, SHIPPED_MODEL, 1000); /* inside the metadata */
    expect_refusal(path, ICL_EMODEL, path);
    write_part(path, SHIPPED_MODEL, 9000000); /* inside the weights */
    expect_refusal(path, ICL_EMODEL, path);
}

static void stop_at_once(void *user, uint64_t done, uint64_t total)
{
    (void)done;
    (void)total;
    icl_model_interrupt(user);
}

static void test_model_llama__an_interrupt_ends_a_run_and_a_later_one_works(void **state)
{
    (void)state;
    static question_set questions;
    icl_model *model = open_model(SHIPPED_MODEL, 1);
    draw_questions(&questions, icl_model_get_info(model)->vocab_count);
    icl_engine_options options = icl_engine_options_default();
    options.call_tokens_max = 64;
    options.progress = stop_at_once;
    options.progress_user = model;
    icl_engine *engine = NULL;
    icl_batch *batch = NULL;
    size_t prefix, request;
    assert_int_equal(icl_engine_open(&engine, model, &options), ICL_OK);
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    assert_int_equal(
        icl_batch_add_prefix(batch, questions.prefix[0], questions.prefix_length[0], &prefix),
        ICL_OK);
    assert_int_equal(icl_batch_add_score(batch, prefix, questions.label[0], 1, &request), ICL_OK);
    assert_int_equal(icl_engine_run(engine, batch), ICL_ECANCELLED);
    icl_engine_close(engine);
    icl_model_clear_interrupt(model);
    assert_int_equal(icl_engine_open(&engine, model, NULL), ICL_OK);
    assert_int_equal(icl_engine_run(engine, batch), ICL_OK);
    assert_true(icl_batch_logprob_nats(batch, request) < 0);
    icl_engine_close(engine);
    icl_batch_free(batch);
    icl_model_close(model);
}

/* Every piece of a tokenised text, joined, is the text again. */
static void test_model_llama__tokens_spell_their_text(void **state)
{
    (void)state;
    icl_model *model = open_model(SHIPPED_MODEL, 1);
    const char text[] = "Text: play  caf\xc3\xa9 \xe4\xbd\xa0\xe5\xa5\xbd\n\nLabel: music";
    int32_t tokens[sizeof text + 8];
    size_t count = 0, at = 0;
    assert_int_equal(
        icl_model_tokenize(model, tokens, sizeof text + 8, &count, text, sizeof text - 1, false),
        ICL_OK);
    for (size_t i = 0; i < count; i++) {
        char piece[64];
        size_t length;
        assert_int_equal(icl_model_piece(model, piece, sizeof piece, &length, tokens[i]), ICL_OK);
        assert_memory_equal(piece, text + at, length);
        at += length;
    }
    assert_int_equal(at, sizeof text - 1);
    icl_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_llama__answers_do_not_depend_on_the_batch),
        cmocka_unit_test(test_model_llama__vectors_do_not_depend_on_the_batch),
        cmocka_unit_test(test_model_llama__cells_that_stay_change_no_answer),
        cmocka_unit_test(test_model_llama__wrong_files_are_refused_with_a_sentence),
        cmocka_unit_test(test_model_llama__an_interrupt_ends_a_run_and_a_later_one_works),
        cmocka_unit_test(test_model_llama__tokens_spell_their_text),
    };
    return cmocka_run_group_tests(tests, enter_scratch, leave_scratch);
}

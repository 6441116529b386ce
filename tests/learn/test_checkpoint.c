/* A run that stops, is saved and goes on is the run that did not stop, to the last bit. */
#include "trainee.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "learn/checkpoint.h"

enum { BATCH = 2, LENGTH = 32 };

static const char path[] = "test_checkpoint.gguf";
static const char damaged[] = "test_checkpoint_damaged.gguf";

static icl_optimizer *new_optimizer(icl_parameters *parameters)
{
    icl_optimizer_options options = icl_optimizer_options_default();
    options.warmup_steps = 5;
    options.step_count = 20;
    icl_optimizer *optimizer = NULL;
    assert_ok(icl_optimizer_new(&optimizer, parameters, &options));
    return optimizer;
}

static void train(trainee *self, icl_optimizer *optimizer, uint64_t from, uint64_t to)
{
    for (uint64_t step = from; step < to; step++) {
        trainee_run_drawn(self, step);
        icl_optimizer_report report;
        assert_ok(icl_optimizer_step(optimizer, 1, &report));
    }
}

static void assert_same_weights(const icl_parameters *a, const icl_parameters *b)
{
    assert_int_equal(icl_parameters_count(a), icl_parameters_count(b));
    for (size_t i = 0; i < icl_parameters_count(a); i++) {
        float *left = copy_weight(a, i), *right = copy_weight(b, i);
        assert_memory_equal(left, right, icl_parameters_at(a, i)->count * sizeof *left);
        free(right);
        free(left);
    }
}

static void save_after(icl_device *device, const icl_transformer_config *config, uint64_t steps)
{
    trainee self;
    trainee_open(&self, device, config, NULL, BATCH, LENGTH);
    icl_optimizer *optimizer = new_optimizer(self.parameters);
    train(&self, optimizer, 0, steps);
    const icl_checkpoint state = { .step = steps,
                                   .schedule_steps = icl_optimizer_steps(optimizer),
                                   .adam_steps = icl_optimizer_adam_steps(optimizer),
                                   .sequences_drawn = 1234567890123,
                                   .tokens_seen = steps * BATCH * LENGTH,
                                   .recipe = "00112233445566778899aabbccddeeff" };
    assert_ok(icl_checkpoint_save(path, self.parameters, &state));
    icl_optimizer_free(optimizer);
    trainee_close(&self);
}

/* Saved and resumed with these threads, and not stopped with one. */
static void check_resume(size_t threads)
{
    icl_device *device = cpu_device(threads, false), *single = cpu_device(1, false);
    const icl_transformer_config config = small_config();
    save_after(device, &config, 10);

    trainee resumed, whole;
    trainee_open(&resumed, device, &config, NULL, BATCH, LENGTH);
    trainee_open(&whole, single, &config, NULL, BATCH, LENGTH);
    icl_optimizer *after = new_optimizer(resumed.parameters);
    icl_optimizer *through = new_optimizer(whole.parameters);
    icl_checkpoint state;
    assert_ok(icl_checkpoint_load(&state, resumed.parameters, path));
    assert_int_equal(state.step, 10);
    assert_int_equal(state.sequences_drawn, 1234567890123);
    assert_int_equal(state.tokens_seen, 640);
    assert_string_equal(state.recipe, "00112233445566778899aabbccddeeff");
    icl_optimizer_set_steps(after, state.schedule_steps, state.adam_steps);
    train(&resumed, after, state.step, 20);
    train(&whole, through, 0, 20);
    assert_same_weights(resumed.parameters, whole.parameters);

    icl_optimizer_free(through);
    icl_optimizer_free(after);
    trainee_close(&whole);
    trainee_close(&resumed);
    icl_device_close(single);
    icl_device_close(device);
}

static void test_checkpoint__resumes_bit_for_bit(void **state)
{
    check_resume(1);
    check_resume(2);
    unlink(path);
}

/* --- what is refused --- */

/* Loading into a fresh model of this shape fails so, and changes nothing. */
static void assert_refused(const char *file, const icl_transformer_config *config,
                           icl_status status, const char *sentence)
{
    icl_device *device = cpu_device(1, false);
    icl_transformer *model = NULL, *untouched = NULL;
    assert_ok(icl_transformer_new(&model, device, config));
    assert_ok(icl_transformer_new(&untouched, device, config));
    assert_ok(icl_transformer_start(model, 1));
    assert_ok(icl_transformer_start(untouched, 1));
    icl_checkpoint state = { .step = 77 };
    icl_parameters *parameters = icl_transformer_parameters(model);
    assert_int_equal(icl_checkpoint_load(&state, parameters, file), status);
    assert_string_equal(icl_error_message(), sentence);
    assert_int_equal(state.step, 77);
    assert_same_weights(parameters, icl_transformer_parameters(untouched));
    icl_transformer_free(untouched);
    icl_transformer_free(model);
    icl_device_close(device);
}

static void save_small(void)
{
    icl_device *device = cpu_device(1, false);
    const icl_transformer_config config = small_config();
    save_after(device, &config, 1);
    icl_device_close(device);
}

static void test_checkpoint__other_shape_names_the_weight(void **state)
{
    save_small();
    icl_transformer_config config = small_config();
    config.feed_width = 64;
    assert_refused(path, &config, ICL_EINVAL,
                   "\"blk.0.ffn_gate.weight\" is [32, 48] in checkpoint \"test_checkpoint.gguf\" "
                   "and [32, 64] in the model");
    config = small_config();
    config.layers = 1;
    assert_refused(path, &config, ICL_EINVAL,
                   "checkpoint \"test_checkpoint.gguf\" has \"blk.1.attn_norm.weight\", [32]; the "
                   "model has not");
    config = small_config();
    config.tied = false;
    assert_refused(path, &config, ICL_EINVAL,
                   "checkpoint \"test_checkpoint.gguf\" has no \"output.weight\", [32, 64] in the "
                   "model");
    unlink(path);
}

static void write_damaged(const icl_text *whole, size_t length, size_t flipped)
{
    icl_text copy = { 0 };
    icl_text_append(&copy, whole->bytes, length);
    assert_ok(icl_text_status(&copy));
    if (flipped < length) copy.bytes[flipped] ^= 1;
    assert_ok(icl_file_write_atomic(damaged, copy.bytes, copy.length));
    icl_text_deinit(&copy);
}

static void test_checkpoint__damage_is_seen_before_anything_changes(void **state)
{
    static const char does_not_fit[] = "\"test_checkpoint_damaged.gguf\" is a damaged checkpoint "
                                       "or none: its checksum does not fit";
    const icl_transformer_config config = small_config();
    save_small();
    icl_text whole = { 0 };
    assert_ok(icl_file_read(&whole, path, 1 << 24));
    const size_t places[] = { 9, 300, whole.length / 2, whole.length - 33, whole.length - 32 };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        write_damaged(&whole, whole.length, places[i]);
        assert_refused(damaged, &config, ICL_EPARSE, does_not_fit);
    }
    write_damaged(&whole, whole.length - 1000, SIZE_MAX);
    assert_refused(damaged, &config, ICL_EPARSE, does_not_fit);
    write_damaged(&whole, 0, SIZE_MAX);
    assert_refused(damaged, &config, ICL_EPARSE,
                   "\"test_checkpoint_damaged.gguf\" is empty, not a checkpoint");
    write_damaged(&whole, whole.length, 0);
    assert_refused(damaged, &config, ICL_EPARSE,
                   "\"test_checkpoint_damaged.gguf\" is not a checkpoint");
    icl_text_deinit(&whole);
    unlink(damaged);
    assert_refused(damaged, &config, ICL_EIO,
                   "cannot open checkpoint \"test_checkpoint_damaged.gguf\": No such file or "
                   "directory");
    unlink(path);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_checkpoint__failed_write_keeps_the_old_file(void **state)
{
    save_small();
    icl_device *device = cpu_device(1, false);
    const icl_transformer_config config = small_config();
    icl_transformer *model = NULL;
    assert_ok(icl_transformer_new(&model, device, &config));
    icl_parameters *parameters = icl_transformer_parameters(model);
    const icl_checkpoint none = { 0 };
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(20000);
    const icl_status status = icl_checkpoint_save(path, parameters, &none);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(status, ICL_EIO);
    assert_string_equal(icl_error_message(),
                        "cannot write \"test_checkpoint.gguf\": File too large");
    icl_checkpoint loaded;
    assert_ok(icl_checkpoint_load(&loaded, parameters, path));
    assert_int_equal(loaded.step, 1);
    assert_int_equal(icl_checkpoint_save("no-such-folder/x.gguf", parameters, &none), ICL_EIO);
    assert_string_equal(icl_error_message(),
                        "cannot write \"no-such-folder/x.gguf\": No such file or directory");
    icl_transformer_free(model);
    icl_device_close(device);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checkpoint__resumes_bit_for_bit),
        cmocka_unit_test(test_checkpoint__other_shape_names_the_weight),
        cmocka_unit_test(test_checkpoint__damage_is_seen_before_anything_changes),
        cmocka_unit_test(test_checkpoint__failed_write_keeps_the_old_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

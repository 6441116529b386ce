#include "trainee.h"

#include "gradient_check.h"

/* --- shapes and names --- */

static void assert_bad_config(const icl_transformer_config *config, const char *sentence)
{
    assert_int_equal(icl_transformer_config_check(config), ICL_EINVAL);
    assert_string_equal(icl_error_message(), sentence);
}

static void test_transformer__config_names_the_bad_field(void **state)
{
    icl_transformer_config config = small_config();
    assert_ok(icl_transformer_config_check(&config));
    config.layers = 129;
    assert_bad_config(&config, "layers must be in 1..128, not 129");
    config = small_config();
    config.heads = 5;
    assert_bad_config(&config, "heads 5 does not divide width 32");
    config = small_config();
    config.kv_heads = 3;
    assert_bad_config(&config, "kv_heads 3 does not divide heads 4");
    config = small_config();
    config.head_width = 7;
    assert_bad_config(&config, "rotary positions need an even head_width, not 7");
    config = small_config();
    config.norm_epsilon = 0.0f;
    assert_bad_config(&config, "norm_epsilon must be between 0 and 1, not 0");
    config = small_config();
    config.feed_width = 0;
    assert_bad_config(&config, "feed_width must be in 1..16777216, not 0");
    config.feed = ICL_FEED_NONE;
    assert_ok(icl_transformer_config_check(&config));
    config.linear_attention = true;
    config.view = ICL_VIEW_PREFIX;
    assert_bad_config(&config,
                      "linear attention has no softmax, so a prefix view, which hides by a "
                      "bias on the scores, cannot be had with it");
    const icl_transformer_config standard = icl_transformer_config_default();
    assert_ok(icl_transformer_config_check(&standard));
}

static icl_transformer *new_model(icl_device *device, const icl_transformer_config *config)
{
    icl_transformer *model = NULL;
    assert_ok(icl_transformer_new(&model, device, config));
    assert_ok(icl_transformer_start(model, 5));
    return model;
}

static void test_transformer__weights_have_gguf_names_and_shapes(void **state)
{
    static const struct {
        const char *name;
        int64_t shape[2];
    } expected[] = {
        { "token_embd.weight", { 32, 64 } },    { "blk.0.attn_norm.weight", { 32, 1 } },
        { "blk.0.attn_q.weight", { 32, 32 } },  { "blk.0.attn_k.weight", { 32, 16 } },
        { "blk.0.attn_v.weight", { 32, 16 } },  { "blk.0.attn_output.weight", { 32, 32 } },
        { "blk.0.ffn_norm.weight", { 32, 1 } }, { "blk.0.ffn_gate.weight", { 32, 48 } },
        { "blk.0.ffn_up.weight", { 32, 48 } },  { "blk.0.ffn_down.weight", { 48, 32 } },
        { "output_norm.weight", { 32, 1 } },
    };
    enum { COUNT = sizeof expected / sizeof *expected };
    icl_device *device = cpu_device(1, false);
    icl_transformer_config config = small_config();
    config.layers = 1;
    icl_transformer *model = new_model(device, &config);
    const icl_parameters *parameters = icl_transformer_parameters(model);
    assert_int_equal(icl_parameters_count(parameters), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const icl_parameter *item = icl_parameters_at(parameters, i);
        assert_string_equal(item->name, expected[i].name);
        assert_memory_equal(item->shape, expected[i].shape, sizeof expected[i].shape);
    }
    icl_transformer_free(model);
    icl_device_close(device);
}

/* A few shapes that together have every part. */
enum { KINDS = 5 };

static icl_transformer_config config_of(size_t kind)
{
    icl_transformer_config config = small_config();
    config.vocab_count = 24;
    config.width = 16;
    config.heads = 2;
    config.kv_heads = 1;
    config.feed_width = 20;
    if (kind == 1) {
        config = small_gpt2_config();
        config.width = 16;
        config.heads = 2;
        config.feed_width = 20;
        config.vocab_count = 24;
        config.readout_width = 3;
    }
    if (kind == 2 || kind == 4) config.feed = ICL_FEED_NONE;
    if (kind == 2) {
        config.linear_attention = true;
        config.norm = ICL_NORM_NONE;
        config.positions = ICL_POSITIONS_NONE;
        config.view = ICL_VIEW_FULL;
        config.vocab_count = 0;
        config.input_width = 5;
        config.readout_width = 2;
    }
    if (kind == 3) {
        config.view = ICL_VIEW_PREFIX;
        config.head_width = 6;
        config.tied = false;
    }
    if (kind == 4) config.view = ICL_VIEW_FULL;
    return config;
}

static void test_transformer__config_knows_the_number_of_weights(void **state)
{
    icl_device *device = cpu_device(1, false);
    for (size_t kind = 0; kind < KINDS; kind++) {
        const icl_transformer_config config = config_of(kind);
        icl_transformer *model = new_model(device, &config);
        assert_int_equal(icl_transformer_config_parameters(&config),
                         icl_parameters_number_count(icl_transformer_parameters(model), false));
        icl_transformer_free(model);
    }
    icl_device_close(device);
}

/* --- the start --- */

static double deviation_of(const icl_parameters *parameters, const char *name)
{
    const size_t index = icl_parameters_find(parameters, name);
    assert_true(index != SIZE_MAX);
    float *values = copy_weight(parameters, index);
    const size_t count = icl_parameters_at(parameters, index)->count;
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) sum += (double)values[i] * (double)values[i];
    free(values);
    return sqrt(sum / (double)count);
}

static void test_transformer__start_is_gpt2s(void **state)
{
    icl_device *device = cpu_device(1, false);
    icl_transformer_config config = small_gpt2_config();
    config.width = 128;
    icl_transformer *model = new_model(device, &config), *again = new_model(device, &config);
    const icl_parameters *parameters = icl_transformer_parameters(model);
    assert_near(deviation_of(parameters, "token_embd.weight"), 0.02, 1e-3);
    assert_near(deviation_of(parameters, "blk.0.attn_q.weight"), 0.02, 1e-3);
    assert_near(deviation_of(parameters, "blk.1.attn_output.weight"), 0.01, 5e-4);
    assert_near(deviation_of(parameters, "blk.1.ffn_down.weight"), 0.01, 5e-4);
    assert_near(deviation_of(parameters, "blk.1.ffn_up.bias"), 0.0, 0.0);
    assert_near(deviation_of(parameters, "output_norm.weight"), 1.0, 0.0);
    assert_near(deviation_of(parameters, "output_norm.bias"), 0.0, 0.0);
    float *first = copy_weight(parameters, 0);
    float *second = copy_weight(icl_transformer_parameters(again), 0);
    assert_memory_equal(first, second, icl_parameters_at(parameters, 0)->count * sizeof *first);
    assert_ok(icl_transformer_start(again, 6));
    icl_parameters_get(icl_transformer_parameters(again), 0, second);
    assert_memory_not_equal(first, second, 64);
    free(second);
    free(first);
    icl_transformer_free(again);
    icl_transformer_free(model);
    icl_device_close(device);
}

static void test_transformer__frozen_names_do_not_train(void **state)
{
    icl_device *device = cpu_device(1, false);
    icl_transformer_config config = small_config();
    config.frozen = (const char *const[]){ "token_embd", "blk.0.", NULL };
    icl_transformer *model = new_model(device, &config);
    const icl_parameters *parameters = icl_transformer_parameters(model);
    for (size_t i = 0; i < icl_parameters_count(parameters); i++) {
        const icl_parameter *item = icl_parameters_at(parameters, i);
        assert_true(item->frozen == (strncmp(item->name, "token_embd", 10) == 0 ||
                                     strncmp(item->name, "blk.0.", 6) == 0));
    }
    assert_null(icl_transformer_get_config(model)->frozen);
    icl_transformer_free(model);
    icl_device_close(device);
}

/* --- who sees whom --- */

enum { LENGTH = 12, VOCAB = 64, PREFIX = 5 };

typedef struct reader {
    icl_transformer *model;
    icl_graph *graph;
    icl_transformer_io io;
    icl_value *logits;
} reader;

/* Forward only, one sequence; `first` asks for that input. */
static void reader_open(reader *out, icl_device *device, const icl_transformer_config *config,
                        bool first)
{
    *out = (reader){ .model = new_model(device, config) };
    scatter_weights(icl_transformer_parameters(out->model), 0.2);
    assert_ok(icl_graph_new(&out->graph, icl_transformer_parameters(out->model)));
    out->io = (icl_transformer_io){ .token_count = LENGTH, .batch = 1 };
    if (first) out->io.first = icl_graph_input_ids(out->graph, "first", LENGTH);
    if (config->view == ICL_VIEW_PREFIX)
        out->io.bias = icl_graph_input(out->graph, "bias", LENGTH, LENGTH, false);
    icl_transformer_build(out->model, out->graph, &out->io);
    icl_value *hidden = out->io.hidden[config->layers];
    out->logits = icl_transformer_logits(out->model, out->graph, hidden);
    icl_graph_keep(out->graph, out->logits);
    assert_ok(icl_graph_finish(out->graph, false));
}

static void reader_close(reader *self)
{
    icl_graph_free(self->graph);
    icl_transformer_free(self->model);
}

static void read_tokens(float out[LENGTH][VOCAB], const reader *self, const int32_t *tokens,
                        const int32_t *positions)
{
    icl_graph_set_ids(self->graph, self->io.ids, tokens);
    set_positions(self->graph, &self->io);
    if (positions != NULL) icl_graph_set_ids(self->graph, self->io.positions, positions);
    if (self->io.bias != NULL) {
        float bias[LENGTH * LENGTH];
        icl_transformer_prefix_bias(bias, LENGTH, PREFIX);
        icl_graph_set(self->graph, self->io.bias, bias);
    }
    assert_ok(icl_graph_run(self->graph));
    icl_graph_get(self->graph, self->logits, &out[0][0]);
}

/* Whether the logits at `query` change when token `key` does. */
static bool sees(const reader *self, size_t query, size_t key)
{
    static float before[LENGTH][VOCAB], after[LENGTH][VOCAB];
    int32_t tokens[LENGTH];
    for (int32_t i = 0; i < LENGTH; i++) tokens[i] = i;
    read_tokens(before, self, tokens, NULL);
    tokens[key] = 40;
    read_tokens(after, self, tokens, NULL);
    return memcmp(before[query], after[query], sizeof before[query]) != 0;
}

static void check_view(icl_view view, bool (*visible)(size_t query, size_t key))
{
    icl_device *device = cpu_device(1, false);
    icl_transformer_config config = small_config();
    config.view = view;
    reader self;
    reader_open(&self, device, &config, false);
    for (size_t key = 0; key < LENGTH; key++) {
        for (size_t query = 0; query < LENGTH; query++)
            assert_true(sees(&self, query, key) == visible(query, key));
    }
    reader_close(&self);
    icl_device_close(device);
}

static bool causal(size_t query, size_t key)
{
    return key <= query;
}

static bool prefix(size_t query, size_t key)
{
    return key <= query || (query < PREFIX && key < PREFIX);
}

static bool all(size_t query, size_t key)
{
    return query < LENGTH && key < LENGTH;
}

static void test_transformer__views_hide_what_they_say(void **state)
{
    check_view(ICL_VIEW_CAUSAL, causal);
    check_view(ICL_VIEW_PREFIX, prefix);
    check_view(ICL_VIEW_FULL, all);
}

static void test_transformer__packed_sequences_are_alone(void **state)
{
    enum { CUT = 5 };
    static float together[LENGTH][VOCAB], alone[LENGTH][VOCAB];
    icl_device *device = cpu_device(1, false);
    const icl_transformer_config config = small_config();
    reader packed, whole;
    reader_open(&packed, device, &config, true);
    reader_open(&whole, device, &config, false);
    int32_t tokens[LENGTH + CUT], positions[LENGTH], first[LENGTH];
    for (int32_t i = 0; i < LENGTH + CUT; i++) tokens[i] = (7 * i) % VOCAB;
    for (int32_t i = 0; i < LENGTH; i++) {
        first[i] = i < CUT ? 0 : CUT;
        positions[i] = i - first[i];
    }
    icl_graph_set_ids(packed.graph, packed.io.first, first);
    read_tokens(together, &packed, tokens, positions);
    read_tokens(alone, &whole, tokens + CUT, NULL); /* what is behind the second part is not seen */
    for (size_t i = 0; i + CUT < LENGTH; i++) {
        for (size_t j = 0; j < VOCAB; j++)
            assert_near((double)together[i + CUT][j], (double)alone[i][j], 1e-4);
    }
    reader_close(&whole);
    reader_close(&packed);
    icl_device_close(device);
}

static void test_transformer__logits_of_some_tokens_are_those_of_all(void **state)
{
    enum { SOME = 3 };
    static const int32_t ids[SOME] = { 63, 0, 17 };
    icl_device *device = cpu_device(1, false);
    icl_transformer_config config = small_config();
    for (int tied = 0; tied < 2; tied++) {
        config.tied = tied;
        reader self;
        self.model = new_model(device, &config);
        assert_ok(icl_graph_new(&self.graph, icl_transformer_parameters(self.model)));
        icl_value *hidden = icl_graph_input(self.graph, "hidden", 32, 2, false);
        icl_value *which = icl_graph_input_ids(self.graph, "ids", SOME);
        icl_value *every = icl_transformer_logits(self.model, self.graph, hidden);
        icl_value *some = icl_transformer_logits_of(self.model, self.graph, hidden, which);
        icl_graph_keep(self.graph, every);
        icl_graph_keep(self.graph, some);
        assert_ok(icl_graph_finish(self.graph, false));
        float rows[2 * 32], of_all[2][VOCAB], of_some[2][SOME];
        for (size_t i = 0; i < 2 * 32; i++) rows[i] = sinf((float)i);
        icl_graph_set(self.graph, hidden, rows);
        icl_graph_set_ids(self.graph, which, ids);
        assert_ok(icl_graph_run(self.graph));
        icl_graph_get(self.graph, every, &of_all[0][0]);
        icl_graph_get(self.graph, some, &of_some[0][0]);
        for (size_t i = 0; i < 2 * SOME; i++)
            assert_near((double)of_some[i / SOME][i % SOME],
                        (double)of_all[i / SOME][ids[i % SOME]], 1e-6);
        reader_close(&self);
    }
    icl_device_close(device);
}

/* --- linear attention: one head without a softmax takes a step of gradient descent --- */

/* Von Oswald et al. 2023: tokens (x_j, y_j), the query (x, 0). With keys and queries x and values y
 * the query's y becomes sum_j (x_j . x) y_j / sqrt(width): minus the gradient of the squared error
 * at weights zero. */
static void test_transformer__linear_attention_descends(void **state)
{
    enum { WIDTH = 4, POINTS = 6 };
    icl_device *device = cpu_device(1, false);
    const icl_transformer_config config = { .width = WIDTH,
                                            .layers = 1,
                                            .heads = 1,
                                            .window = POINTS + 1,
                                            .view = ICL_VIEW_FULL,
                                            .norm = ICL_NORM_NONE,
                                            .feed = ICL_FEED_NONE,
                                            .positions = ICL_POSITIONS_NONE,
                                            .linear_attention = true };
    icl_transformer *model = new_model(device, &config);
    icl_parameters *parameters = icl_transformer_parameters(model);
    float reads_x[WIDTH * WIDTH] = { 0 }, reads_y[WIDTH * WIDTH] = { 0 };
    for (size_t i = 0; i + 1 < WIDTH; i++) reads_x[i * WIDTH + i] = 1.0f;
    reads_y[WIDTH * WIDTH - 1] = 1.0f;
    icl_parameters_set(parameters, icl_parameters_find(parameters, "blk.0.attn_q.weight"), reads_x);
    icl_parameters_set(parameters, icl_parameters_find(parameters, "blk.0.attn_k.weight"), reads_x);
    icl_parameters_set(parameters, icl_parameters_find(parameters, "blk.0.attn_v.weight"), reads_y);
    icl_parameters_set(parameters, icl_parameters_find(parameters, "blk.0.attn_output.weight"),
                       reads_y);
    icl_graph *graph = NULL;
    assert_ok(icl_graph_new(&graph, parameters));
    icl_transformer_io io = { .token_count = POINTS + 1, .batch = 1 };
    io.vectors = icl_graph_input(graph, "points", WIDTH, POINTS + 1, false);
    icl_transformer_build(model, graph, &io);
    icl_graph_keep(graph, io.hidden[1]);
    assert_ok(icl_graph_finish(graph, false));

    float points[POINTS + 1][WIDTH], out[POINTS + 1][WIDTH];
    for (size_t j = 0; j <= POINTS; j++) {
        for (size_t i = 0; i < WIDTH; i++) points[j][i] = sinf((float)(j * WIDTH + i));
    }
    points[POINTS][WIDTH - 1] = 0.0f;
    icl_graph_set(graph, io.vectors, &points[0][0]);
    assert_ok(icl_graph_run(graph));
    icl_graph_get(graph, io.hidden[1], &out[0][0]);
    double step = 0.0;
    for (size_t j = 0; j < POINTS; j++) {
        double dot = 0.0;
        for (size_t i = 0; i + 1 < WIDTH; i++)
            dot += (double)points[j][i] * (double)points[POINTS][i];
        step += dot * (double)points[j][WIDTH - 1] / sqrt(WIDTH);
    }
    assert_near((double)out[POINTS][WIDTH - 1], step, 1e-5);
    assert_near((double)out[POINTS][0], (double)points[POINTS][0], 0.0);
    icl_graph_free(graph);
    icl_transformer_free(model);
    icl_device_close(device);
}

/* --- gradients of whole models, by finite differences --- */

enum { BATCH = 2, SHORT = 6, TOKENS = BATCH * SHORT, PROBES = 6 };

typedef struct probe {
    icl_transformer *model;
    icl_graph *graph;
    icl_transformer_io io;
    icl_value *targets, *weights, *wanted, *loss;
} probe;

/* Cross-entropy over tokens, squared error at the read-out: what the model has. */
static void add_loss(probe *p)
{
    const icl_transformer_config *config = icl_transformer_get_config(p->model);
    icl_value *hidden = p->io.hidden[config->layers];
    p->weights = icl_graph_input(p->graph, "weights", TOKENS, 1, false);
    if (config->vocab_count > 0) {
        icl_value *logits = icl_transformer_logits(p->model, p->graph, hidden);
        p->targets = icl_graph_input_ids(p->graph, "targets", TOKENS);
        p->loss = icl_loss_cross_entropy(p->graph, logits, p->targets, p->weights, 0.0f);
    }
    if (config->readout_width > 0) {
        icl_value *out = icl_transformer_readout(p->model, p->graph, hidden);
        p->wanted = icl_graph_input(p->graph, "wanted", icl_value_size(out, 0), TOKENS, false);
        icl_value *error = icl_loss_mse(p->graph, out, p->wanted, p->weights);
        p->loss = p->loss == NULL ? error : icl_op_add(p->graph, p->loss, error);
    }
    icl_graph_add_loss(p->graph, "all", p->loss, 1.0f);
}

/* Numbers from -1 to 1. */
static void fill_waves(icl_graph *graph, icl_value *input)
{
    float numbers[512];
    const int64_t count = icl_value_size(input, 0) * icl_value_size(input, 1);
    assert_true(count <= 512);
    for (int64_t i = 0; i < count; i++) numbers[i] = sinf((float)(3 * i + 1));
    icl_graph_set(graph, input, numbers);
}

static void set_inputs(const probe *p)
{
    int32_t ids[TOKENS];
    float weights[TOKENS];
    for (int32_t i = 0; i < TOKENS; i++) {
        ids[i] = (5 * i + 2) % 24;
        weights[i] = (float)(i % 3) / 2.0f;
    }
    icl_graph_set(p->graph, p->weights, weights);
    set_positions(p->graph, &p->io);
    if (p->io.ids != NULL) icl_graph_set_ids(p->graph, p->io.ids, ids);
    if (p->targets != NULL) icl_graph_set_ids(p->graph, p->targets, ids);
    if (p->io.vectors != NULL) fill_waves(p->graph, p->io.vectors);
    if (p->wanted != NULL) fill_waves(p->graph, p->wanted);
    if (p->io.bias != NULL) {
        float bias[SHORT * SHORT];
        icl_transformer_prefix_bias(bias, SHORT, 3);
        icl_graph_set(p->graph, p->io.bias, bias);
    }
}

static void probe_open(probe *p, icl_device *device, const icl_transformer_config *config)
{
    *p = (probe){ .model = new_model(device, config) };
    scatter_weights(icl_transformer_parameters(p->model), 0.25);
    assert_ok(icl_graph_new(&p->graph, icl_transformer_parameters(p->model)));
    p->io = (icl_transformer_io){ .token_count = TOKENS, .batch = BATCH };
    if (config->input_width > 0)
        p->io.vectors =
            icl_graph_input(p->graph, "vectors", (int64_t)config->input_width, TOKENS, true);
    if (config->view == ICL_VIEW_PREFIX)
        p->io.bias = icl_graph_input(p->graph, "bias", SHORT, SHORT, false);
    icl_transformer_build(p->model, p->graph, &p->io);
    add_loss(p);
    assert_ok(icl_graph_finish(p->graph, true));
    set_inputs(p);
}

static void probe_close(probe *p)
{
    icl_graph_free(p->graph);
    icl_transformer_free(p->model);
}

static void check_models(bool composed)
{
    icl_device *device = cpu_device(1, composed);
    for (size_t kind = 0; kind < KINDS; kind++) {
        const icl_transformer_config config = config_of(kind);
        probe p;
        probe_open(&p, device, &config);
        check_gradients(p.graph, p.loss, icl_transformer_parameters(p.model), PROBES);
        probe_close(&p);
    }
    icl_device_close(device);
}

static void test_transformer__gradients_are_slopes_of_the_loss(void **state)
{
    check_models(false);
    check_models(true);
}

static double loss_with(const probe *p, float *vectors, size_t at, float offset)
{
    const float before = vectors[at];
    vectors[at] += offset;
    icl_graph_set(p->graph, p->io.vectors, vectors);
    assert_ok(icl_graph_run(p->graph));
    vectors[at] = before;
    return (double)icl_graph_scalar(p->graph, p->loss);
}

static void test_transformer__gradients_reach_the_vectors_that_come_in(void **state)
{
    enum { WIDTH = 5, COUNT = WIDTH * TOKENS };
    icl_device *device = cpu_device(1, false);
    const icl_transformer_config config = config_of(2);
    assert_int_equal(config.input_width, WIDTH);
    probe p;
    probe_open(&p, device, &config);
    float vectors[COUNT], gradient[COUNT];
    for (size_t i = 0; i < COUNT; i++) vectors[i] = sinf((float)(3 * i + 1));
    assert_ok(icl_graph_run(p.graph));
    icl_graph_get_gradient(p.graph, p.io.vectors, gradient);
    const float step = 0.02f;
    for (size_t at = 0; at < COUNT; at++) {
        const double rise = loss_with(&p, vectors, at, step) - loss_with(&p, vectors, at, -step);
        assert_near((double)gradient[at], rise / (2.0 * (double)step), 2e-3);
    }
    probe_close(&p);
    icl_device_close(device);
}

/* --- what can be looked at --- */

static void test_transformer__scores_and_residual_stream_can_be_read(void **state)
{
    static float scores[4 * LENGTH * LENGTH];
    float embedded[LENGTH * 32], table[VOCAB * 32];
    icl_device *device = cpu_device(1, false);
    const icl_transformer_config config = small_config();
    icl_transformer *model = new_model(device, &config);
    icl_graph *graph = NULL;
    assert_ok(icl_graph_new(&graph, icl_transformer_parameters(model)));
    icl_transformer_io io = { .token_count = LENGTH, .batch = 1, .keep_scores = true };
    icl_transformer_build(model, graph, &io);
    icl_graph_keep(graph, io.scores[1]);
    icl_graph_keep(graph, io.embedded);
    icl_graph_keep(graph, io.hidden[2]);
    assert_ok(icl_graph_finish(graph, false));
    int32_t tokens[LENGTH];
    for (int32_t i = 0; i < LENGTH; i++) tokens[i] = 3 * i;
    icl_graph_set_ids(graph, io.ids, tokens);
    set_positions(graph, &io);
    assert_ok(icl_graph_run(graph));

    icl_graph_get(graph, io.scores[1], scores);
    for (size_t row = 0; row < 4 * LENGTH; row++) {
        double sum = 0.0;
        for (size_t key = 0; key < LENGTH; key++) {
            const double score = (double)scores[row * LENGTH + key];
            assert_true(key <= row % LENGTH ? score > 0.0 : score == 0.0);
            sum += score;
        }
        assert_near(sum, 1.0, 1e-5);
    }
    icl_graph_get(graph, io.embedded, embedded);
    icl_parameters_get(icl_transformer_parameters(model), 0, table);
    for (size_t i = 0; i < LENGTH; i++)
        assert_memory_equal(embedded + i * 32, table + (size_t)tokens[i] * 32, 32 * sizeof *table);
    icl_graph_free(graph);
    icl_transformer_free(model);
    icl_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transformer__config_names_the_bad_field),
        cmocka_unit_test(test_transformer__weights_have_gguf_names_and_shapes),
        cmocka_unit_test(test_transformer__config_knows_the_number_of_weights),
        cmocka_unit_test(test_transformer__start_is_gpt2s),
        cmocka_unit_test(test_transformer__frozen_names_do_not_train),
        cmocka_unit_test(test_transformer__views_hide_what_they_say),
        cmocka_unit_test(test_transformer__packed_sequences_are_alone),
        cmocka_unit_test(test_transformer__logits_of_some_tokens_are_those_of_all),
        cmocka_unit_test(test_transformer__linear_attention_descends),
        cmocka_unit_test(test_transformer__gradients_are_slopes_of_the_loss),
        cmocka_unit_test(test_transformer__gradients_reach_the_vectors_that_come_in),
        cmocka_unit_test(test_transformer__scores_and_residual_stream_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

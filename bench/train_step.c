/* Speed of training: steps of a decoder of 10M weights (7 layers, 320 wide, 5 heads, 864 hidden,
 * 4096 tokens), context 512, batch 8, full cross-entropy, AdamW. train_step.py does the same in
 * PyTorch.
 *
 *   train_step [threads] [steps] [composed]     prints one JSON line
 */
#include "bench.h"

#include <stdint.h>

#include "learn/optimizer.h"
#include "learn/transformer.h"

enum { LENGTH = 512, BATCH = 8, TOKENS = LENGTH * BATCH };

static icl_transformer_config shape(void)
{
    icl_transformer_config config = icl_transformer_config_default();
    config.vocab_count = 4096;
    config.width = 320;
    config.layers = 7;
    config.heads = config.kv_heads = 5;
    config.feed_width = 864;
    config.window = LENGTH;
    return config;
}

typedef struct step {
    icl_graph *graph;
    icl_value *loss;
} step;

static step build(icl_transformer *model)
{
    step s = { NULL };
    bench_check(icl_graph_new(&s.graph, icl_transformer_parameters(model)));
    icl_transformer_io io = { .token_count = TOKENS, .batch = BATCH };
    icl_transformer_build(model, s.graph, &io);
    icl_value *logits = icl_transformer_logits(model, s.graph, io.hidden[7]);
    icl_value *targets = icl_graph_input_ids(s.graph, "targets", TOKENS);
    icl_value *weights = icl_graph_input(s.graph, "weights", TOKENS, 1, false);
    s.loss = icl_loss_cross_entropy(s.graph, logits, targets, weights, (float)TOKENS);
    icl_graph_add_loss(s.graph, "text", s.loss, 1.0f);
    bench_check(icl_graph_finish(s.graph, true));

    static int32_t ids[TOKENS + 1], positions[TOKENS];
    static float ones[TOKENS];
    for (size_t i = 0; i <= TOKENS; i++) ids[i] = (int32_t)(i * 2654435761U % 4093);
    for (size_t i = 0; i < TOKENS; i++) {
        positions[i] = (int32_t)(i % LENGTH);
        ones[i] = 1.0f;
    }
    icl_graph_set_ids(s.graph, io.ids, ids);
    icl_graph_set_ids(s.graph, io.positions, positions);
    icl_graph_set_ids(s.graph, targets, &ids[1]);
    icl_graph_set(s.graph, weights, ones);
    return s;
}

int main(int argc, char **argv)
{
    const size_t threads = bench_number(argc, argv, 1, NULL, 1);
    const size_t count = bench_number(argc, argv, 2, NULL, 3);
    const icl_device_options options = { .name = "cpu",
                                         .thread_count = threads,
                                         .composed = argc > 3 };
    const icl_transformer_config config = shape();
    icl_device *device = NULL;
    icl_transformer *model = NULL;
    icl_optimizer *optimizer = NULL;
    bench_check(icl_device_open(&device, &options));
    bench_check(icl_transformer_new(&model, device, &config));
    bench_check(icl_transformer_start(model, 1));
    const icl_optimizer_options adam = icl_optimizer_options_default();
    bench_check(icl_optimizer_new(&optimizer, icl_transformer_parameters(model), &adam));
    step s = build(model);

    double *seconds = bench_alloc(count, sizeof *seconds), first_loss = 0, last_loss = 0;
    double *processor = bench_alloc(count, sizeof *processor);
    for (size_t i = 0; i < count + 1; i++) { /* the first one warms up */
        const double start = bench_seconds();
        const clock_t before = clock();
        icl_optimizer_report report;
        bench_check(icl_graph_run(s.graph));
        bench_check(icl_optimizer_step(optimizer, 1, &report));
        last_loss = (double)icl_graph_scalar(s.graph, s.loss);
        if (i == 0) first_loss = last_loss;
        if (i == 0) continue;
        seconds[i - 1] = bench_seconds() - start;
        processor[i - 1] = (double)(clock() - before) / CLOCKS_PER_SEC;
    }
    const double wall = bench_median(seconds, count), used = bench_median(processor, count);
    const double flops = icl_graph_flops(s.graph);
    printf(
        "{\"bench\": \"train_step\", \"engine\": \"icl\", \"threads\": %zu, \"parameters\": %llu, "
        "\"tokens_per_second\": %.0f, \"tokens_per_cpu_second\": %.0f, \"gflops\": %.1f, "
        "\"gflops_per_cpu_second\": %.1f, \"activation_mb\": %.1f, \"first_loss\": %.4f, "
        "\"last_loss\": %.4f, \"load\": %.2f}\n",
        threads,
        (unsigned long long)icl_parameters_number_count(icl_transformer_parameters(model), true),
        TOKENS / wall, TOKENS / used, flops / wall * 1e-9, flops / used * 1e-9,
        (double)icl_graph_bytes(s.graph) * 1e-6, first_loss, last_loss, bench_load());
    free(processor);
    free(seconds);
    icl_graph_free(s.graph);
    icl_optimizer_free(optimizer);
    icl_transformer_free(model);
    icl_device_close(device);
    return 0;
}

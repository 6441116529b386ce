/* Active example selection: which demonstration to show next is learned by Q-learning from episodes
 * of random picks, with the gain of accuracy on a validation part of the pool as the reward. The
 * policy never looks at the queries, so all of them get the list that it picks; where a query is on
 * the list itself, the next one takes its place.
 *
 * The list is written last pick first, so that order=nearest-last shows it as the episodes did. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "select/fit.h"
#include "select/q_episode.h"

enum {
    EPISODES_AT_ONCE = 4,
    UPDATES_PER_EPISODE = 16, /* while it plays by itself, as in the public code */
    UPDATES_AT_ONCE = 100,    /* between looks at the clock */
};

/* Of random moves while it plays by itself, from the first episode to the last. */
static const double epsilon_first = 0.99, epsilon_last = 0.2;

static const char *const calibrations[] = { "batch", "none", NULL };

static icl_q_shape shape_of(const icl_select_input *input, const icl_options *options)
{
    const icl_q_shape wanted = {
        .method = options->card->name,
        .calibrate = calibrations[icl_options_int(options, "calibrate")],
        .candidate_count = (size_t)icl_options_int(options, "candidates"),
        .validation_count = (size_t)icl_options_int(options, "validation"),
        .steps = (size_t)icl_options_int(options, "steps"),
    };
    return icl_q_shape_within(wanted, input->pool_count);
}

/* --- fitting --- */

/* One fit and the best network so far. */
typedef struct training {
    icl_fit *fit;
    const icl_select_input *input;
    const icl_options *options;
    icl_q_world world;
    icl_q_replay replay;
    icl_q_learner *learner;
    size_t *order; /* [candidate_count] scratch */
    icl_q_network best;
    double best_accuracy; /* of what the best picks; -1: none yet */
    size_t best_picked;
} training;

/* A stream of randomness for each episode, so that their number does not matter. */
static icl_rng episode_rng(const training *t, size_t episode, const char *purpose)
{
    char number[32];
    snprintf(number, sizeof number, "%zu", episode);
    return icl_rng_new(t->input->seed, t->input->task, number, purpose);
}

static size_t pick_at_random(void *user, size_t episode, const icl_q_choice *choice)
{
    icl_rng *rngs = user;
    return icl_rng_below(&rngs[episode], choice->action_count + 1);
}

static icl_status play_at_random(training *t)
{
    const size_t episodes = (size_t)icl_options_int(t->options, "episodes");
    for (size_t first = 0; first < episodes; first += EPISODES_AT_ONCE) {
        const size_t left = episodes - first;
        const size_t count = left < EPISODES_AT_ONCE ? left : EPISODES_AT_ONCE;
        icl_rng rngs[EPISODES_AT_ONCE];
        for (size_t i = 0; i < count; i++) rngs[i] = episode_rng(t, first + i, "q-random");
        icl_fit_say(t->fit, "random episodes", first, episodes);
        ICL_TRY(icl_q_play(&t->replay, &t->world, count, pick_at_random, rngs));
    }
    return ICL_OK;
}

/* Keeps the network when what it picks now does better on the validation part. */
static icl_status check(training *t)
{
    size_t picked = 0;
    double accuracy = 0.0;
    const icl_q_network *network = icl_q_learner_network(t->learner);
    ICL_TRY(icl_q_rank(t->order, &picked, &t->world, network, t->world.steps));
    ICL_TRY(icl_q_accuracy_of(&accuracy, &t->world, t->order, picked));
    if (accuracy <= t->best_accuracy) return ICL_OK;
    t->best = *network;
    t->best_accuracy = accuracy;
    t->best_picked = picked;
    return ICL_OK;
}

static icl_status learn_offline(training *t)
{
    const size_t updates = (size_t)icl_options_int(t->options, "updates");
    const size_t checks = (size_t)icl_options_int(t->options, "checks");
    size_t checked = 0;
    for (size_t done = 0; done < updates; done++) {
        if (done % UPDATES_AT_ONCE == 0) {
            ICL_TRY(icl_cancel_check(t->input->cancelled));
            icl_fit_say(t->fit, "updates", done, updates);
        }
        ICL_TRY(icl_q_learner_update(NULL, t->learner, t->replay.transitions, t->replay.count));
        if ((done + 1) * checks >= (checked + 1) * updates) {
            ICL_TRY(check(t));
            checked++;
        }
    }
    return ICL_OK;
}

/* A player that mostly follows the network. */
typedef struct player {
    const icl_q_network *network;
    icl_rng rng;
    double epsilon;
    double *values; /* [candidate_count + 1] */
} player;

static size_t pick_mostly_best(void *user, size_t episode, const icl_q_choice *choice)
{
    (void)episode;
    player *p = user;
    if (icl_rng_unit(&p->rng) < p->epsilon) return icl_rng_below(&p->rng, choice->action_count + 1);
    return icl_q_best(p->values, p->network, choice);
}

static icl_status play_and_learn(training *t, player *p, size_t episodes)
{
    for (size_t e = 0; e < episodes; e++) {
        const double part = episodes > 1 ? (double)e / (double)(episodes - 1) : 0.0;
        p->rng = episode_rng(t, e, "q-online");
        p->epsilon = epsilon_first * pow(epsilon_last / epsilon_first, part);
        icl_fit_say(t->fit, "episodes of its own", e, episodes);
        ICL_TRY(icl_q_play(&t->replay, &t->world, 1, pick_mostly_best, p));
        for (size_t i = 0; i < UPDATES_PER_EPISODE; i++)
            ICL_TRY(icl_q_learner_update(NULL, t->learner, t->replay.transitions, t->replay.count));
    }
    return check(t);
}

static icl_status learn_online(training *t)
{
    const size_t episodes = (size_t)icl_options_int(t->options, "online");
    if (episodes == 0) return ICL_OK;
    player p = { .network = icl_q_learner_network(t->learner) };
    p.values = calloc(t->world.candidate_count + 1, sizeof *p.values);
    if (p.values == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu episodes", episodes);
    const icl_status status = play_and_learn(t, &p, episodes);
    free(p.values);
    return status;
}

static icl_status new_learner(training *t)
{
    icl_q_options o = icl_q_options_default();
    o.actions_max = t->world.candidate_count;
    o.rate = icl_options_real(t->options, "rate");
    o.conservative = icl_options_real(t->options, "conservative");
    o.dropout = icl_options_real(t->options, "dropout");
    o.seed = t->input->seed;
    o.task = t->input->task;
    if (t->replay.count < o.batch_size)
        return icl_error_set(ICL_EINVAL,
                             "episodes=%lld gave %zu transitions, and an update takes %zu: more "
                             "episodes are needed",
                             (long long)icl_options_int(t->options, "episodes"), t->replay.count,
                             o.batch_size);
    return icl_q_learner_new(&t->learner, &o);
}

/* Row 0 the means of the inputs, row 1 their variances. */
static icl_status write_network(const training *t)
{
    const icl_running_norm *norm = &t->best.norm;
    float weights[ICL_Q_WEIGHTS], moments[2][ICL_Q_INPUT];
    for (size_t i = 0; i < ICL_Q_WEIGHTS; i++) weights[i] = (float)t->best.weights.all[i];
    for (size_t i = 0; i < ICL_Q_INPUT; i++) {
        moments[0][i] = (float)norm->mean[i];
        moments[1][i] = (float)(norm->square_sum[i] / norm->count);
    }
    icl_fit_file *file = t->fit->file;
    ICL_TRY(icl_fit_file_add(file, &(icl_fit_array){ "weights", 1, ICL_Q_WEIGHTS, weights }));
    ICL_TRY(icl_fit_file_add(file, &(icl_fit_array){ "norm", 2, ICL_Q_INPUT, moments[0] }));
    ICL_TRY(icl_fit_file_add_measure(file, "transitions", (double)t->replay.count));
    ICL_TRY(icl_fit_file_add_measure(file, "zero_shot_accuracy", t->world.root->accuracy));
    ICL_TRY(icl_fit_file_add_measure(file, "picks", (double)t->best_picked));
    return icl_fit_file_add_measure(file, "validation_accuracy", t->best_accuracy);
}

static icl_status fit_q_learning(icl_fit *fit, const icl_select_input *input,
                                 const icl_options *options)
{
    training t = { .fit = fit, .input = input, .options = options, .best_accuracy = -1.0 };
    const icl_q_shape shape = shape_of(input, options);
    icl_status status = icl_q_world_init(&t.world, input, &shape);
    if (status == ICL_OK) {
        t.order = calloc(t.world.candidate_count + 1, sizeof *t.order);
        if (t.order == NULL)
            status = icl_error_set(ICL_ENOMEM, "out of memory to rank %zu candidates",
                                   t.world.candidate_count);
    }
    if (status == ICL_OK) status = icl_q_open(&t.world);
    if (status == ICL_OK) status = play_at_random(&t);
    if (status == ICL_OK) status = new_learner(&t);
    if (status == ICL_OK) status = learn_offline(&t);
    if (status == ICL_OK) status = learn_online(&t);
    if (status == ICL_OK) status = write_network(&t);
    icl_q_learner_free(t.learner);
    icl_q_replay_deinit(&t.replay);
    free(t.order);
    icl_q_world_deinit(&t.world);
    return status;
}

/* A situation asks twice about every candidate, once about one of them, and about the validation
 * part; the last one of an episode only about that. */
static icl_status fit_prompts_q_learning(size_t *out, const icl_select_input *input,
                                         const icl_options *options)
{
    const icl_q_shape shape = shape_of(input, options);
    const size_t actions = 2 * shape.candidate_count + 1, validation = shape.validation_count;
    const size_t episodes =
        (size_t)(icl_options_int(options, "episodes") + icl_options_int(options, "online") +
                 icl_options_int(options, "checks") + 1);
    *out = actions + validation +
           episodes * (shape.steps * validation + (shape.steps - 1) * actions);
    return ICL_OK;
}

/* --- selecting --- */

static icl_status read_network(icl_q_network *out, const icl_select_input *input,
                               const icl_options *options)
{
    icl_fit_file *file = NULL;
    const float *weights = NULL, *moments = NULL;
    ICL_TRY(icl_fit_open(&file, input, options));
    icl_status status = icl_fit_file_find(&weights, file, "weights", 1, ICL_Q_WEIGHTS);
    if (status == ICL_OK) status = icl_fit_file_find(&moments, file, "norm", 2, ICL_Q_INPUT);
    if (status == ICL_OK) {
        *out = (icl_q_network){ .norm.count = 2.0 };
        for (size_t i = 0; i < ICL_Q_WEIGHTS; i++) out->weights.all[i] = (double)weights[i];
        for (size_t i = 0; i < ICL_Q_INPUT; i++) {
            out->norm.mean[i] = (double)moments[i];
            out->norm.square_sum[i] = out->norm.count * (double)moments[ICL_Q_INPUT + i];
        }
    }
    icl_fit_file_free(file);
    return status;
}

/* The whole pool: the ranked candidates, then the items that were no candidates. */
static icl_status rank_pool(size_t *order, const icl_select_input *input,
                            const icl_options *options, const icl_q_network *network, size_t needed)
{
    const icl_q_shape shape = shape_of(input, options);
    icl_q_world world = { 0 };
    ICL_TRY(icl_q_world_init(&world, input, &shape));
    size_t picked = 0;
    const icl_status status = icl_q_rank(order, &picked, &world, network, needed);
    for (size_t i = world.candidate_count; status == ICL_OK && i < input->pool_count; i++)
        order[i] = world.candidates[i];
    icl_q_world_deinit(&world);
    return status;
}

static void fill_line(size_t *line, size_t k, const size_t *order, size_t self)
{
    size_t taken = 0;
    for (size_t i = 0; taken < k; i++)
        if (order[i] != self) line[k - ++taken] = order[i];
}

static icl_status select_q_learning(icl_selection *out, const icl_select_input *input,
                                    const icl_options *options)
{
    icl_q_network network;
    ICL_TRY(read_network(&network, input, options));
    size_t *order = calloc(input->pool_count, sizeof *order);
    if (order == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory to rank %zu pool items", input->pool_count);
    /* One more for the queries that stand in the pool. */
    const size_t needed = out->k + (input->query_self != NULL);
    const icl_status status = rank_pool(order, input, options, &network, needed);
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++)
        fill_line(&out->indices[q * out->k], out->k, order, icl_select_self(input, q));
    free(order);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    ICL_FIT_OPTION_FILE,
    ICL_FIT_OPTION_TRANSFER,
    { .name = "candidates",
      .type = ICL_OPTION_INT,
      .fallback = "40",
      .minimum = 2,
      .maximum = 1e6,
      .help = "pool items to pick from, drawn at random; the paper has 100" },
    { .name = "validation",
      .type = ICL_OPTION_INT,
      .fallback = "40",
      .minimum = 1,
      .maximum = 1e6,
      .help = "other pool items that accuracy is measured on, at most half of the pool" },
    { .name = "steps",
      .type = ICL_OPTION_INT,
      .fallback = "4",
      .minimum = 2,
      .maximum = 1000,
      .help = "picks of the policy; further demonstrations follow by their last values" },
    { .name = "calibrate",
      .type = ICL_OPTION_CHOICE,
      .fallback = "batch",
      .choices = calibrations,
      .help = "of label probabilities; the paper calibrates on content-free inputs" },
    { .name = "episodes",
      .type = ICL_OPTION_INT,
      .fallback = "100",
      .minimum = 1,
      .maximum = 1e6,
      .help = "fit: of random picks" },
    { .name = "updates",
      .type = ICL_OPTION_INT,
      .fallback = "4000",
      .minimum = 1,
      .maximum = 1e9,
      .help = "fit: steps of 16 transitions; the paper takes 128000" },
    { .name = "online",
      .type = ICL_OPTION_INT,
      .fallback = "0",
      .minimum = 0,
      .maximum = 1e6,
      .help = "fit: further episodes by the policy itself, random moves from 99 % to 20 %" },
    { .name = "checks",
      .type = ICL_OPTION_INT,
      .fallback = "5",
      .minimum = 1,
      .maximum = 1e4,
      .help = "fit: measurements of the policy on the validation part; the best is kept" },
    { .name = "rate",
      .type = ICL_OPTION_REAL,
      .fallback = "0.001",
      .minimum = 1e-8,
      .maximum = 1,
      .help = "fit: learning rate of AdamW; the paper has 0.0003 for its many updates" },
    { .name = "conservative",
      .type = ICL_OPTION_REAL,
      .fallback = "0.2",
      .minimum = 0,
      .maximum = 1e3,
      .help = "fit: weight of the loss that holds down what was not tried" },
    { .name = "dropout",
      .type = ICL_OPTION_REAL,
      .fallback = "0.25",
      .minimum = 0,
      .maximum = 0.9,
      .help = "fit: of inputs and of the first layer, as in the public code" },
};

const icl_select_method icl_select_q_learning = {
    .card = { .name = "q-learning",
              .summary = "One list for all queries, picked by a policy learned from episodes.",
              .paper = "Zhang et al. 2022, \"Active Example Selection for In-Context Learning\"",
              .cost = "2 * candidates for each of min(k, steps) picks; fit: (episodes + online + "
                      "checks) * steps * (2 * candidates + validation), in the paper thousands * 4 "
                      "* (100 + validation)",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_LOGPROBS | ICL_NEEDS_TRAINING,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_q_learning,
    .fit = fit_q_learning,
    .fit_prompts = fit_prompts_q_learning,
};

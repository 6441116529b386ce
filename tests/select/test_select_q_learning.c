/* q-learning: rewards add up, the policy finds what helps, and its file belongs to its pool and
 * model. */
#include <math.h>
#include "fake_asker.h"
#include "near.h"
#include "select/learned.h"
#include "select/q_episode.h"

enum { POOL = 36, QUERIES = 3, LABELS = 2 };

#define SHAPE  "candidates=20,validation=16,steps=3,calibrate=none"
#define LEARNS ",episodes=40,updates=600"
#define HASTY  ",episodes=15,updates=20"

typedef struct world {
    char texts[POOL][32];
    const char *pool_texts[POOL];
    size_t labels[POOL];
    icl_select_input input;
    fake_asker fake;
} world;

/* Every third text is a key: where one is shown, an eighth more of the answers is right, and the
 * model is sure of its label before that. */
static bool is_key(const char *text)
{
    return strncmp(text, "key", 3) == 0;
}

static void knows_keys(void *context, fake_answer *answer, const fake_data *data,
                       const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)context;
    (void)how;
    size_t keys = 0;
    for (size_t i = 0; i < prompt->shown_count; i++)
        keys += is_key(data->pool_texts[prompt->shown[i]]);
    const char *text = fake_prompt_text(data, prompt);
    const bool right = icl_hash(text, strlen(text)).low % 8 < 2 + keys;
    const size_t label = data->pool_labels[prompt->item];
    answer->label_nats[right ? label : 1 - label] = is_key(text) ? -0.01 : -0.5;
    answer->label_nats[right ? 1 - label : label] = is_key(text) ? -4.0 : -1.0;
    answer->text =
        (icl_ask_text){ -3.0 * (double)(1 + prompt->shown_count), 1 + prompt->shown_count };
}

static void set_world(world *w)
{
    static const char *const query_texts[QUERIES] = { "a", "b", "c" };
    static const char *const query_ids[QUERIES] = { "0", "1", "2" };
    for (size_t i = 0; i < POOL; i++) {
        snprintf(w->texts[i], sizeof w->texts[i], "%s %zu", i % 3 == 0 ? "key" : "text", i);
        w->pool_texts[i] = w->texts[i];
        w->labels[i] = i % LABELS;
    }
    w->input = (icl_select_input){ .pool_count = POOL,
                                   .query_count = QUERIES,
                                   .label_count = LABELS,
                                   .pool_texts = w->pool_texts,
                                   .query_texts = query_texts,
                                   .query_ids = query_ids,
                                   .pool_labels = w->labels,
                                   .model_identity = "fake",
                                   .task = "keys",
                                   .seed = 3 };
    fake_asker_serve(&w->fake, &w->input, knows_keys, NULL);
}

static int set_up(void **state)
{
    world *w = calloc(1, sizeof *w);
    if (w == NULL) return -1;
    set_world(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void fit_small(char path[LEARNED_PATH_BYTES], const icl_select_input *input,
                      const char *more)
{
    char text[256];
    snprintf(text, sizeof text, "q-learning(" SHAPE "%s)", more);
    icl_fit_file_free(fit_well(path, input, text));
}

static icl_status run_status(icl_selection *out, const icl_select_input *input, size_t k,
                             const char *path, const char *more)
{
    char text[256];
    snprintf(text, sizeof text, "q-learning(k=%zu,file=%s," SHAPE "%s)", k, path, more);
    return select_status(out, input, text);
}

/* --- episodes --- */

static size_t pick_first(void *user, size_t episode, const icl_q_choice *choice)
{
    (void)user;
    (void)episode;
    return choice->action_count > 0 ? 0 : choice->action_count;
}

static icl_q_world open_world(const icl_select_input *input, size_t steps)
{
    icl_q_world made = { 0 };
    const icl_q_shape shape = { "q-learning", "batch", 10, 12, steps };
    assert_int_equal(icl_q_world_init(&made, input, &shape), ICL_OK);
    assert_int_equal(icl_q_open(&made), ICL_OK);
    return made;
}

static void test_q_episode__rewards_add_up_to_the_gain(void **state)
{
    world *w = *state;
    fake_asker_serve(&w->fake, &w->input, fake_hashed, NULL);
    icl_q_world game = open_world(&w->input, 5);
    icl_q_replay replay = { 0 };
    assert_int_equal(icl_q_play(&replay, &game, 1, pick_first, NULL), ICL_OK);
    assert_int_equal(replay.count, 5);
    double sum = 0.0, accuracy = 0.0;
    for (size_t i = 0; i < replay.count; i++) sum += replay.transitions[i].reward;
    assert_int_equal(icl_q_accuracy_of(&accuracy, &game, game.candidates, 5), ICL_OK);
    assert_near(sum, accuracy - game.root->accuracy, 1e-12);
    for (size_t i = 0; i < 4; i++) {
        assert_ptr_equal(replay.transitions[i].next, replay.transitions[i + 1].choice);
        assert_int_equal(replay.transitions[i].choice->action_count, 10 - i);
        assert_near(replay.transitions[i].choice->state[0], (double)i, 0.0);
    }
    assert_null(replay.transitions[4].next);
    icl_q_replay_deinit(&replay);
    icl_q_world_deinit(&game);
}

static size_t stop_in_odd_episodes(void *user, size_t episode, const icl_q_choice *choice)
{
    (void)user;
    return episode % 2 == 1 ? choice->action_count : 1;
}

static void test_q_episode__stopping_earns_nothing_and_ends(void **state)
{
    world *w = *state;
    icl_q_world game = open_world(&w->input, 3);
    icl_q_replay replay = { 0 };
    assert_int_equal(icl_q_play(&replay, &game, 4, stop_in_odd_episodes, NULL), ICL_OK);
    size_t stops = 0, ends = 0;
    for (size_t i = 0; i < replay.count; i++) {
        const icl_q_transition *t = &replay.transitions[i];
        ends += t->next == NULL;
        if (t->action < t->choice->action_count) continue;
        stops++;
        assert_null(t->next);
        assert_near(t->reward, 0.0, 0.0);
    }
    assert_int_equal(replay.count, 2 + 2 * 3);
    assert_int_equal(stops, 2);
    assert_int_equal(ends, 4);
    icl_q_replay_deinit(&replay);
    icl_q_world_deinit(&game);
}

/* Features by hand: label probabilities p and 1 - p, and prompts of 3 nats a token. */
static void test_q_world__features_are_what_the_paper_names(void **state)
{
    world *w = *state;
    icl_q_world game = { 0 };
    const icl_q_shape shape = { "q-learning", "none", 10, 12, 3 };
    assert_int_equal(icl_q_world_init(&game, &w->input, &shape), ICL_OK);
    assert_int_equal(icl_q_open(&game), ICL_OK);
    icl_q_situation *after = NULL;
    assert_int_equal(icl_q_situation_after(&after, &game, game.root, game.candidates[4]), ICL_OK);
    assert_int_equal(icl_q_measure_actions(&game, &after, 1), ICL_OK);
    assert_near(after->choice.state[0], 1.0, 0.0);
    assert_near(after->choice.state[1], exp(6.0 - 1.0), 1e-9); /* two tokens less one of -1 */
    assert_int_equal(after->choice.action_count, 9);
    for (size_t a = 0; a < 9; a++) {
        const double *features = after->choice.actions[a];
        assert_true(after->actions[a] != game.candidates[4]);
        const double gap = is_key(w->pool_texts[after->actions[a]]) ? 3.99 : 0.5;
        const double p = 1.0 / (1.0 + exp(-gap));
        assert_near(features[0], -(p * log(p) + (1 - p) * log(1 - p)) / log(2.0), 1e-12);
        assert_near(features[1], 1.0 - p, 1e-12);
        assert_near(features[2], p, 1e-12);
        assert_near(features[3], p - 0.5, 1e-12);
        assert_near(features[4], exp(3.0), 1e-9);
    }
    icl_q_world_deinit(&game);
}

static void test_q_world__parts_the_pool(void **state)
{
    world *w = *state;
    icl_q_world game = { 0 };
    const icl_q_shape shape = { "q-learning", "none", 10, 1000, 3 };
    assert_int_equal(icl_q_world_init(&game, &w->input, &shape), ICL_OK);
    assert_int_equal(game.validation_count, POOL / 2);
    assert_int_equal(game.candidate_count, 10);
    assert_ptr_equal(game.validation, game.candidates + 10);
    bool seen[POOL] = { false };
    for (size_t i = 0; i < POOL; i++) seen[game.candidates[i]] = true;
    for (size_t i = 0; i < POOL; i++) assert_true(seen[i]);
    icl_q_world_deinit(&game);
}

/* --- the method --- */

static void test_select_q_learning__picks_what_raises_accuracy(void **state)
{
    world *w = *state;
    char path[LEARNED_PATH_BYTES];
    fit_small(path, &w->input, LEARNS);
    icl_selection selection = { 0 };
    assert_int_equal(run_status(&selection, &w->input, 3, path, ""), ICL_OK);
    for (size_t i = 0; i < 3 * QUERIES; i++)
        assert_true(is_key(w->pool_texts[selection.indices[i]]));
    icl_selection_deinit(&selection);
    unlink(path);
}

static void test_select_q_learning__more_than_it_picks_follows_by_value(void **state)
{
    world *w = *state;
    char path[LEARNED_PATH_BYTES];
    fit_small(path, &w->input, HASTY);
    icl_selection few = { 0 }, all = { 0 };
    assert_int_equal(run_status(&few, &w->input, 3, path, ""), ICL_OK);
    assert_int_equal(run_status(&all, &w->input, POOL, path, ""), ICL_OK);
    /* Written last pick first: the first pick stands last. */
    assert_memory_equal(few.indices, all.indices + POOL - 3, 3 * sizeof *few.indices);
    bool seen[POOL] = { false };
    for (size_t i = 0; i < POOL; i++) seen[all.indices[i]] = true;
    for (size_t i = 0; i < POOL; i++) assert_true(seen[i]);
    icl_selection_deinit(&all);
    icl_selection_deinit(&few);
    unlink(path);
}

static void test_select_q_learning__a_query_on_the_list_is_replaced(void **state)
{
    world *w = *state;
    char path[LEARNED_PATH_BYTES];
    fit_small(path, &w->input, HASTY);
    icl_selection plain = { 0 }, others = { 0 };
    assert_int_equal(run_status(&plain, &w->input, 3, path, ""), ICL_OK);
    const size_t selves[QUERIES] = { SIZE_MAX, plain.indices[1], SIZE_MAX };
    w->input.query_self = selves;
    assert_int_equal(run_status(&others, &w->input, 3, path, ""), ICL_OK);
    assert_memory_equal(others.indices, plain.indices, 3 * sizeof *plain.indices);
    assert_int_equal(others.indices[3 + 2], plain.indices[2]); /* the first pick stays */
    assert_int_equal(others.indices[3 + 1], plain.indices[0]);
    for (size_t i = 0; i < 3; i++) assert_true(others.indices[3 + i] != plain.indices[1]);
    icl_selection_deinit(&others);
    icl_selection_deinit(&plain);
    unlink(path);
}

static void test_select_q_learning__plays_by_itself_when_asked(void **state)
{
    world *w = *state;
    char path[LEARNED_PATH_BYTES];
    fit_small(path, &w->input, LEARNS ",online=20");
    icl_selection selection = { 0 };
    assert_int_equal(run_status(&selection, &w->input, 3, path, ""), ICL_OK);
    for (size_t i = 0; i < 3; i++) assert_true(is_key(w->pool_texts[selection.indices[i]]));
    icl_selection_deinit(&selection);
    unlink(path);
}

static void test_select_q_learning__asks_no_more_than_it_says(void **state)
{
    world *w = *state;
    char path[LEARNED_PATH_BYTES];
    static const char text[] = "q-learning(" SHAPE HASTY ")";
    icl_call call = { 0 };
    icl_options options = { 0 };
    const icl_select_method *method = NULL;
    assert_int_equal(icl_select_find(&method, "q-learning"), ICL_OK);
    assert_int_equal(icl_call_parse(&call, text, strlen(text)), ICL_OK);
    assert_int_equal(icl_options_read(&options, &method->card, &call), ICL_OK);
    w->fake.prompts = 0;
    fit_small(path, &w->input, HASTY);
    size_t most = 0;
    assert_int_equal(method->fit_prompts(&most, &w->input, &options), ICL_OK);
    assert_true(w->fake.prompts <= most && w->fake.prompts > most / 2);
    icl_options_deinit(&options);
    icl_call_deinit(&call);
    unlink(path);
}

static void test_select_q_learning__a_file_belongs_to_its_pool_and_model(void **state)
{
    world *w = *state;
    char path[LEARNED_PATH_BYTES];
    fit_small(path, &w->input, HASTY);
    icl_selection selection = { 0 };
    w->input.model_identity = "another";
    assert_int_equal(run_status(&selection, &w->input, 3, path, ""), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "another"));
    assert_int_equal(run_status(&selection, &w->input, 3, path, ",transfer=true"), ICL_OK);
    icl_selection_deinit(&selection);
    w->input.model_identity = "fake";
    w->pool_texts[2] = "changed";
    assert_int_equal(run_status(&selection, &w->input, 3, path, ""), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "pool"));
    assert_int_equal(run_status(&selection, &w->input, 3, "missing.fit", ""), ICL_EIO);
    assert_int_equal(select_status(&selection, &w->input, "q-learning"), ICL_EINVAL);
    unlink(path);
}

static void test_select_q_learning__refuses_what_it_cannot_learn_from(void **state)
{
    world *w = *state;
    icl_fit_file *file = NULL;
    assert_int_equal(fit_status(&file, &w->input, "q-learning(episodes=2,steps=2)", NULL),
                     ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "episodes=2"));
    w->input.pool_labels = NULL;
    assert_int_equal(fit_status(&file, &w->input, "q-learning", NULL), ICL_EINVAL);
    const size_t same[POOL] = { 0 };
    w->input.pool_labels = same;
    assert_int_equal(fit_status(&file, &w->input, "q-learning", NULL), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "one and the same label"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_q_episode__rewards_add_up_to_the_gain),
        TEST(test_q_episode__stopping_earns_nothing_and_ends),
        TEST(test_q_world__features_are_what_the_paper_names),
        TEST(test_q_world__parts_the_pool),
        TEST(test_select_q_learning__picks_what_raises_accuracy),
        TEST(test_select_q_learning__more_than_it_picks_follows_by_value),
        TEST(test_select_q_learning__a_query_on_the_list_is_replaced),
        TEST(test_select_q_learning__plays_by_itself_when_asked),
        TEST(test_select_q_learning__asks_no_more_than_it_says),
        TEST(test_select_q_learning__a_file_belongs_to_its_pool_and_model),
        TEST(test_select_q_learning__refuses_what_it_cannot_learn_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

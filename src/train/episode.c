#include "train/episode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "math/matrix.h"
#include "train/prose.h"

const char *const icl_label_kind_names[] = { "names", "words", "symbols", "mixed", "held", NULL };
const char *const icl_choose_names[] = { "balanced", "random", "nearest", "mixed", NULL };
const char *const icl_episode_loss_names[] = { "query", "all", "seen", NULL };

bool icl_episode_needs_vectors(const icl_options *options)
{
    const icl_choose choose = (icl_choose)icl_options_int(options, "choose");
    return choose == ICL_CHOOSE_NEAREST || choose == ICL_CHOOSE_MIXED ||
           icl_options_bool(options, "meaning");
}

/* --- what the options ask for --- */

/* Number of words that begin with different tokens, as far as `enough`. */
static icl_status count_distinct(size_t *out, icl_episode *episode, size_t enough)
{
    icl_label_set_clear(&episode->label_set);
    for (size_t i = 0; i < episode->word_count && episode->label_set.count < enough; i++) {
        bool added = false;
        ICL_TRY(icl_label_set_add(&episode->label_set, episode->bpe, episode->words[i], &added));
    }
    *out = episode->label_set.count;
    return ICL_OK;
}

static icl_status check_words(icl_episode *episode, const icl_options *options)
{
    const icl_label_kind asked = episode->labels_asked;
    size_t classes = episode->classes_range.high, distinct = 0;
    if (episode->has_names && episode->data->label_count < classes)
        classes = episode->data->label_count;
    if (asked == ICL_LABELS_NAMES && !episode->has_names)
        return icl_error_set(ICL_EINVAL, "option labels of %s: its classes have no names",
                             options->card->name);
    if (asked != ICL_LABELS_WORDS && asked != ICL_LABELS_HELD && asked != ICL_LABELS_MIXED)
        return ICL_OK;
    if (asked == ICL_LABELS_MIXED && episode->word_count == 0) return ICL_OK;
    ICL_TRY(count_distinct(&distinct, episode, classes));
    if (distinct >= classes) return ICL_OK;
    return icl_error_set(ICL_EINVAL,
                         "option labels of %s: %zu classes need as many words that begin with "
                         "different tokens, but the recipe's %zu %s words give %zu",
                         options->card->name, classes, episode->word_count,
                         asked == ICL_LABELS_HELD ? "held" : "label", distinct);
}

static icl_status take_words(icl_episode *episode, const icl_source_world *world)
{
    for (size_t i = 0; i < world->held_word_count; i++) {
        size_t index = i;
        ICL_TRY(icl_string_map_add(&episode->held, world->held_words[i], &index));
    }
    const bool held = episode->labels_asked == ICL_LABELS_HELD;
    const char *const *from = held ? world->held_words : world->label_words;
    const size_t count = held ? world->held_word_count : world->label_word_count;
    episode->words = malloc((count + 1) * sizeof *episode->words);
    if (episode->words == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (held || icl_string_map_find(&episode->held, from[i]) == SIZE_MAX)
            episode->words[episode->word_count++] = from[i];
    return ICL_OK;
}

static icl_status check_vectors(icl_episode *episode, const icl_options *options)
{
    const icl_pool *data = episode->data;
    const bool nearest =
        episode->choose_asked == ICL_CHOOSE_NEAREST || episode->choose_asked == ICL_CHOOSE_MIXED;
    episode->item_count = nearest ? data->vector_count : data->count;
    if (nearest && data->vectors == NULL)
        return icl_error_set(ICL_EINVAL, "option choose of %s: pool \"%s\" has no sentence vectors",
                             options->card->name, data->name);
    return ICL_OK;
}

static icl_status read_options(icl_episode *episode, const icl_source_world *world,
                               const icl_options *options)
{
    episode->bpe = world->bpe;
    episode->begin = icl_bpe_end_of_text(world->bpe);
    episode->context = world->context - (episode->begin >= 0);
    episode->labels_asked = (icl_label_kind)icl_options_int(options, "labels");
    episode->choose_asked = (icl_choose)icl_options_int(options, "choose");
    episode->pool = (size_t)icl_options_int(options, "pool");
    episode->words_max = (size_t)icl_options_int(options, "words_max");
    episode->noise = icl_options_real(options, "noise");
    episode->flip = icl_options_real(options, "flip");
    episode->loss = (icl_episode_loss)icl_options_int(options, "loss");
    episode->meaning = icl_options_bool(options, "meaning");
    ICL_TRY(icl_range_read(&episode->classes_range, options, "classes"));
    ICL_TRY(icl_range_read(&episode->shots_range, options, "shots"));
    ICL_TRY(icl_source_pool(&episode->data, world, options));
    ICL_TRY(icl_bpe_encode(episode->bpe, "\n", 1, &episode->inputs));
    assert(episode->inputs.count == 1); /* every byte is a token */
    episode->line_end = episode->inputs.items[0];
    ICL_TRY(check_vectors(episode, options));
    ICL_TRY(take_words(episode, world));
    return check_words(episode, options);
}

icl_status icl_episode_init(icl_episode *out, const icl_source_world *world,
                            const icl_options *options, bool has_names)
{
    *out = (icl_episode){ .has_names = has_names };
    const icl_status status = read_options(out, world, options);
    if (status != ICL_OK) icl_episode_deinit(out);
    return status;
}

void icl_episode_deinit(icl_episode *episode)
{
    free(episode->order);
    free(episode->input_starts);
    icl_tokens_deinit(&episode->inputs);
    icl_text_deinit(&episode->text);
    free(episode->members);
    icl_label_set_deinit(&episode->label_set);
    icl_string_map_deinit(&episode->held);
    free(episode->words);
    *episode = (icl_episode){ 0 };
}

/* --- drawing what an episode is --- */

static icl_label_kind draw_label_kind(const icl_episode *episode, icl_rng *rng)
{
    if (episode->labels_asked != ICL_LABELS_MIXED) return episode->labels_asked;
    icl_label_kind kinds[3];
    size_t count = 0;
    kinds[count++] = ICL_LABELS_SYMBOLS;
    if (episode->word_count > 0) kinds[count++] = ICL_LABELS_WORDS;
    if (episode->has_names) kinds[count++] = ICL_LABELS_NAMES;
    return kinds[icl_rng_below(rng, count)];
}

void icl_episode_begin(icl_episode *episode, icl_rng *rng)
{
    episode->class_count = icl_range_draw(episode->classes_range, rng);
    episode->shots = icl_range_draw(episode->shots_range, rng);
    episode->labels = draw_label_kind(episode, rng);
    episode->choose = episode->choose_asked == ICL_CHOOSE_MIXED
                          ? (icl_choose)icl_rng_below(rng, ICL_CHOOSE_MIXED)
                          : episode->choose_asked;
    icl_label_set_clear(&episode->label_set);
    episode->query = (icl_member){ .item = SIZE_MAX };
    episode->member_count = 0;
}

icl_status icl_episode_add(icl_episode *episode, size_t item, size_t class_index)
{
    assert(item < episode->item_count && class_index < episode->class_count);
    ICL_TRY(
        icl_array_reserve(&episode->members, &episode->member_capacity, episode->member_count + 1));
    episode->members[episode->member_count++] =
        (icl_member){ .item = item, .class_index = class_index, .shown = class_index };
    return ICL_OK;
}

icl_status icl_episode_add_name(icl_episode *episode, const char *name, bool *out_added)
{
    *out_added = false;
    if (icl_string_map_find(&episode->held, name) != SIZE_MAX) return ICL_OK;
    return icl_label_set_add(&episode->label_set, episode->bpe, name, out_added);
}

/* --- labels --- */

static icl_status draw_words(icl_episode *episode, icl_rng *rng)
{
    ICL_TRY(icl_array_reserve(&episode->order, &episode->order_capacity, episode->word_count));
    for (size_t i = 0; i < episode->word_count; i++) episode->order[i] = i;
    for (size_t left = episode->word_count; episode->label_set.count < episode->class_count;
         left--) {
        assert(left > 0); /* there are enough, see check_words */
        const size_t at = icl_rng_below(rng, left);
        bool added = false;
        ICL_TRY(icl_label_set_add(&episode->label_set, episode->bpe,
                                  episode->words[episode->order[at]], &added));
        episode->order[at] = episode->order[left - 1];
    }
    return ICL_OK;
}

/* Symbols of one form, or of the next ones where a small vocabulary begins too many alike. */
static icl_status draw_symbols(icl_episode *episode, icl_rng *rng)
{
    enum { TRIES = 500 };
    const size_t form = icl_rng_below(rng, ICL_SYMBOL_FORMS);
    for (size_t try = 0; try < ICL_SYMBOL_FORMS * TRIES; try++) {
        if (episode->label_set.count == episode->class_count) return ICL_OK;
        char symbol[8];
        bool added = false;
        icl_symbol_draw(symbol, (form + try / TRIES) % ICL_SYMBOL_FORMS, rng);
        if (icl_string_map_find(&episode->held, symbol) != SIZE_MAX) continue;
        ICL_TRY(icl_label_set_add(&episode->label_set, episode->bpe, symbol, &added));
    }
    return icl_error_set(ICL_EINVAL,
                         "the vocabulary is too small for symbols: only %zu of %zu labels begin "
                         "with different tokens",
                         episode->label_set.count, episode->class_count);
}

static icl_status draw_labels(icl_episode *episode, icl_rng *rng)
{
    switch (episode->labels) {
    case ICL_LABELS_NAMES:
        assert(episode->label_set.count == episode->class_count);
        if (icl_rng_unit(rng) >= episode->flip) return ICL_OK;
        return icl_label_set_derange(&episode->label_set, rng);
    case ICL_LABELS_SYMBOLS:
        return draw_symbols(episode, rng);
    default:
        return draw_words(episode, rng);
    }
}

/* --- query and demonstrations --- */

static void swap_members(icl_member *members, size_t a, size_t b)
{
    const icl_member held = members[a];
    members[a] = members[b];
    members[b] = held;
}

static void shuffle_members(icl_member *members, size_t count, icl_rng *rng)
{
    for (size_t i = count; i > 1; i--) swap_members(members, i - 1, icl_rng_below(rng, i));
}

/* A random class that has members, then one of them. */
static void draw_query(icl_episode *episode, icl_rng *rng)
{
    size_t counts[ICL_CLASSES_MAX] = { 0 }, classes[ICL_CLASSES_MAX], class_count = 0;
    for (size_t i = 0; i < episode->member_count; i++) counts[episode->members[i].class_index]++;
    for (size_t c = 0; c < episode->class_count; c++)
        if (counts[c] > 0) classes[class_count++] = c;
    const size_t class_index = classes[icl_rng_below(rng, class_count)];
    size_t left = icl_rng_below(rng, counts[class_index]), at = 0;
    while (episode->members[at].class_index != class_index || left-- > 0) at++;
    swap_members(episode->members, at, --episode->member_count);
    episode->query = episode->members[episode->member_count];
}

/* Moves `count` members to the front, dealt from the classes in turn. */
static void deal(icl_episode *episode, size_t count, icl_rng *rng)
{
    size_t classes[ICL_CLASSES_MAX];
    for (size_t c = 0; c < episode->class_count; c++) classes[c] = c;
    icl_rng_shuffle(rng, classes, episode->class_count);
    for (size_t taken = 0, c = 0; taken < count; c = (c + 1) % episode->class_count) {
        size_t at = taken;
        while (at < episode->member_count && episode->members[at].class_index != classes[c]) at++;
        if (at < episode->member_count) swap_members(episode->members, taken++, at);
    }
    shuffle_members(episode->members, count, rng);
}

static int by_nearness(const void *a, const void *b)
{
    const icl_member *one = a, *other = b;
    if (one->nearness != other->nearness) return one->nearness < other->nearness ? 1 : -1;
    return one->item < other->item ? -1 : one->item > other->item;
}

/* Moves the `count` members nearest to the query to the front, nearest last. */
static void choose_nearest(icl_episode *episode, size_t count, size_t among)
{
    const icl_pool *data = episode->data;
    const float *query = data->vectors + episode->query.item * data->vector_size;
    icl_member *members = episode->members;
    for (size_t i = 0; i < among; i++)
        members[i].nearness = icl_vector_dot(
            query, data->vectors + members[i].item * data->vector_size, data->vector_size);
    qsort(members, among, sizeof *members, by_nearness);
    for (size_t i = 0; i < count / 2; i++) swap_members(members, i, count - 1 - i);
}

static void add_noise(icl_episode *episode, size_t count, icl_rng *rng)
{
    for (size_t i = 0; i < count; i++) {
        if (icl_rng_unit(rng) >= episode->noise) continue;
        const size_t shift = 1 + icl_rng_below(rng, episode->class_count - 1);
        episode->members[i].shown =
            (episode->members[i].class_index + shift) % episode->class_count;
    }
}

/* Puts the demonstrations to the front of the members, in order of writing; returns how many. */
static size_t choose_demonstrations(icl_episode *episode, icl_rng *rng)
{
    if (episode->query.item == SIZE_MAX) draw_query(episode, rng);
    assert(episode->member_count > 0);
    shuffle_members(episode->members, episode->member_count, rng);
    size_t among = episode->member_count;
    if (episode->choose == ICL_CHOOSE_NEAREST && episode->pool < among) among = episode->pool;
    const size_t count = episode->shots < among ? episode->shots : among;
    if (episode->choose == ICL_CHOOSE_BALANCED) deal(episode, count, rng);
    if (episode->choose == ICL_CHOOSE_NEAREST) choose_nearest(episode, count, among);
    add_noise(episode, count, rng);
    return count;
}

/* --- writing --- */

static icl_status encode_input(icl_episode *episode, const icl_episode_template *frame, size_t item,
                               size_t words)
{
    const char *text = episode->data->texts[item];
    icl_text *whole = &episode->text;
    icl_text_clear(whole);
    icl_text_append_string(whole, frame->before);
    const size_t start = whole->length;
    icl_text_append(whole, text, icl_prose_words(text, strlen(text), words));
    for (size_t i = start; i < whole->length; i++)
        if (whole->bytes[i] == '\n') whole->bytes[i] = ' ';
    icl_text_append_string(whole, frame->behind);
    ICL_TRY(icl_text_status(whole));
    return icl_bpe_encode(episode->bpe, whole->bytes, whole->length, &episode->inputs);
}

/* The inputs of `count` demonstrations and of the query, cut to `words` words. */
static icl_status encode_inputs(icl_episode *episode, const icl_episode_template *frame,
                                size_t count, size_t words)
{
    ICL_TRY(icl_array_reserve(&episode->input_starts, &episode->input_capacity, count + 2));
    episode->inputs.count = 0;
    for (size_t i = 0; i <= count; i++) {
        episode->input_starts[i] = episode->inputs.count;
        const size_t item = i < count ? episode->members[i].item : episode->query.item;
        ICL_TRY(encode_input(episode, frame, item, words));
    }
    episode->input_starts[count + 1] = episode->inputs.count;
    return ICL_OK;
}

static size_t label_tokens(const icl_episode *episode, size_t class_index)
{
    size_t count = 0;
    icl_label_set_tokens(&episode->label_set, class_index, &count);
    return count;
}

/* Encodes the inputs; *out_first is the first demonstration to write so that the rest fits. */
static icl_status fit(icl_episode *episode, const icl_episode_template *frame, size_t count,
                      size_t *out_first)
{
    const size_t begin = episode->begin >= 0;
    size_t total = 0;
    for (size_t words = episode->words_max; words > 0; words /= 2) {
        ICL_TRY(encode_inputs(episode, frame, count, words));
        total = episode->inputs.count + label_tokens(episode, episode->query.class_index);
        for (size_t i = 0; i < count; i++)
            total += label_tokens(episode, episode->members[i].shown) + frame->gap;
        size_t first = 0;
        for (; total > episode->context && first + 1 < count; first++)
            total -= episode->input_starts[first + 1] - episode->input_starts[first] +
                     label_tokens(episode, episode->members[first].shown) + frame->gap;
        *out_first = first;
        if (total <= episode->context) return ICL_OK;
    }
    return icl_error_set(ICL_ECONTEXT,
                         "one demonstration and a query of one word each take %zu tokens, but the "
                         "context has %zu",
                         total + begin, episode->context + begin);
}

static icl_status write_input(const icl_episode *episode, icl_sequence *out, size_t index,
                              size_t item)
{
    const size_t start = episode->input_starts[index], end = episode->input_starts[index + 1];
    ICL_TRY(icl_sequence_push_tokens(out, episode->inputs.items + start, end - start,
                                     ICL_TARGET_NONE, 0));
    const icl_pool *data = episode->data;
    if (!episode->meaning || item >= data->vector_count) return ICL_OK;
    return icl_sequence_add_meaning(out, out->count - 1, data->vectors + item * data->vector_size);
}

static icl_status write_label(const icl_episode *episode, icl_sequence *out, size_t class_index,
                              icl_target target)
{
    size_t count = 0;
    const int32_t *tokens = icl_label_set_tokens(&episode->label_set, class_index, &count);
    return icl_sequence_push_tokens(out, tokens, count, target, target == ICL_TARGET_NONE ? 0 : 1);
}

static icl_status write_candidates(const icl_episode *episode, icl_sequence *out)
{
    size_t count = 0;
    out->class_count = episode->class_count;
    for (size_t c = 0; c < episode->class_count; c++)
        ICL_TRY(icl_sequence_add_candidate(
            out, icl_label_set_tokens(&episode->label_set, c, &count)[0]));
    for (size_t c = 0; c < episode->class_count; c++) {
        const int32_t *tokens = icl_label_set_tokens(&episode->label_set, c, &count);
        for (size_t i = 1; i < count; i++) ICL_TRY(icl_sequence_add_candidate(out, tokens[i]));
    }
    return ICL_OK;
}

/* Whether the label of a demonstration is to be predicted: nothing tells one that noise has
 * changed, nor the first one, and of a class that has not been shown no more than that it is new.
 */
static bool is_asked(const icl_episode *episode, const icl_member *member, size_t place,
                     const bool *shown)
{
    const bool told = place > 0 && member->shown == member->class_index;
    switch (episode->loss) {
    case ICL_LOSS_QUERY:
        return false;
    case ICL_LOSS_ALL:
        return told;
    case ICL_LOSS_SEEN:
        return told && shown[member->class_index];
    }
    return false;
}

icl_status icl_episode_write(icl_episode *episode, icl_sequence *out, icl_rng *rng)
{
    bool shown[ICL_CLASSES_MAX] = { false }, any = false;
    const size_t count = choose_demonstrations(episode, rng);
    ICL_TRY(draw_labels(episode, rng));
    size_t frame_count = 0, first = 0;
    const icl_episode_template *frames = icl_episode_templates(&frame_count);
    const icl_episode_template *frame = &frames[icl_rng_below(rng, frame_count)];
    ICL_TRY(fit(episode, frame, count, &first));
    if (episode->begin >= 0) ICL_TRY(icl_sequence_push(out, episode->begin, ICL_TARGET_NONE, 0));
    for (size_t i = first; i < count; i++) {
        const icl_member *member = &episode->members[i];
        const bool asked = is_asked(episode, member, i - first, shown);
        shown[member->shown] = true;
        any = any || asked;
        ICL_TRY(write_input(episode, out, i, member->item));
        ICL_TRY(
            write_label(episode, out, member->shown, asked ? ICL_TARGET_ANSWER : ICL_TARGET_NONE));
        for (size_t gap = 0; gap < frame->gap; gap++)
            ICL_TRY(icl_sequence_push(out, episode->line_end, ICL_TARGET_NONE, 0));
    }
    ICL_TRY(write_input(episode, out, count, episode->query.item));
    const size_t gold = episode->query.class_index;
    /* A sequence asks for something: if for nothing else, for the query's label. */
    const bool asked = shown[gold] || episode->loss != ICL_LOSS_SEEN || !any;
    if (asked) out->answer = out->count;
    ICL_TRY(write_label(episode, out, gold, asked ? ICL_TARGET_ANSWER : ICL_TARGET_NONE));
    return write_candidates(episode, out);
}

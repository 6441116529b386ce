/* What stands in a recipe: a rule for every key. */
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "base/quote.h"
#include "base/yaml.h"
#include "train/range.h"
#include "train/recipe_parts.h"
#include "train/start.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

enum { SIZE_MAX_OF_FIELDS = 1 << 24, NAME_BYTES_MAX = 64 };
static const double steps_max = 1e9;

/* Rules of fields, for tables in which `owner` is defined as the struct's type. */
#define TEXT(key, field)                                                                           \
    {                                                                                              \
        .name = key, .read = icl_yaml_set_text, .offset = offsetof(owner, field)                   \
    }
#define BOOL(key, field)                                                                           \
    {                                                                                              \
        .name = key, .read = icl_yaml_set_bool, .offset = offsetof(owner, field)                   \
    }
#define CHOICE(key, field, names)                                                                  \
    {                                                                                              \
        .name = key, .read = icl_yaml_set_choice, .offset = offsetof(owner, field),                \
        .choices = (names)                                                                         \
    }
#define NUMBER(key, reader, field, low, high)                                                      \
    {                                                                                              \
        .name = key, .read = (reader), .offset = offsetof(owner, field), .minimum = (low),         \
        .maximum = (high)                                                                          \
    }
#define SIZE(key, field, low)       NUMBER(key, icl_yaml_set_size, field, low, SIZE_MAX_OF_FIELDS)
#define STEPS(key, field, low)      NUMBER(key, icl_yaml_set_u64, field, low, steps_max)
#define REAL(key, field, low, high) NUMBER(key, icl_yaml_set_real, field, low, high)
#define NAMES(key, field)                                                                          \
    {                                                                                              \
        .name = key, .read = read_names, .offset = offsetof(owner, field)                          \
    }

/* --- lists --- */

static icl_status add_name(void *self, const icl_yaml_value *item)
{
    icl_recipe_names *names = self;
    const icl_yaml_rule as_text = { .name = NULL };
    char *name = NULL;
    ICL_TRY(icl_yaml_set_text(&name, item, &as_text));
    /* One more for the NULL that ends them. */
    icl_status status = icl_array_reserve(&names->items, &names->capacity, names->count + 2);
    if (status == ICL_OK && name[0] == '\0') status = icl_yaml_refuse(item, "the name is empty");
    for (size_t i = 0; status == ICL_OK && i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            status = icl_yaml_refuse(item, "\"%.60s\" stands twice", name);
    if (status != ICL_OK) {
        free(name);
        return status;
    }
    names->items[names->count++] = name;
    names->items[names->count] = NULL;
    return ICL_OK;
}

static icl_status read_names(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    icl_recipe_names *names = (icl_recipe_names *)((char *)self + rule->offset);
    return icl_yaml_each(names, value, add_name);
}

/* --- model and tokenizer --- */

static icl_status read_model(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    static const char *const norms[] = { "rms", "layer", "none", NULL };
    static const char *const feeds[] = { "swiglu", "gelu", "none", NULL };
    static const char *const positions[] = { "rope", "learned", "none", NULL };
    typedef icl_transformer_config owner;
    static const icl_yaml_rule rules[] = {
        SIZE("layers", layers, 1),
        SIZE("width", width, 1),
        SIZE("heads", heads, 1),
        SIZE("kv_heads", kv_heads, 1),
        SIZE("head_width", head_width, 1),
        CHOICE("feed", feed, feeds),
        SIZE("feed_width", feed_width, 1),
        SIZE("window", window, 2),
        CHOICE("norm", norm, norms),
        CHOICE("positions", positions, positions),
        BOOL("linear_attention", linear_attention),
        BOOL("tied", tied),
        BOOL("biases", biases),
        NUMBER("rope_base", icl_yaml_set_float, rope_base, 1, 1e12),
        NUMBER("norm_epsilon", icl_yaml_set_float, norm_epsilon, 1e-12, 0.1),
        SIZE("readout", readout_width, 1),
    };
    icl_recipe *recipe = self;
    (void)rule;
    recipe->model_stated = true;
    ICL_TRY(icl_yaml_entries(&recipe->model, value, rules, COUNT_OF(rules)));
    const icl_status status = icl_transformer_config_check(&recipe->model);
    return status == ICL_OK ? ICL_OK : icl_yaml_place_of_key(status, value);
}

static icl_status read_tokenizer(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    typedef icl_recipe owner;
    static const icl_yaml_rule rules[] = {
        SIZE("vocabulary", tokenizer_vocab, 257),
        TEXT("file", tokenizer_file),
        NAMES("data", tokenizer_pools),
        BOOL("encoder_words", tokenizer_encoder_words),
    };
    const icl_recipe *recipe = self;
    (void)rule;
    ICL_TRY(icl_yaml_entries(self, value, rules, COUNT_OF(rules)));
    if ((recipe->tokenizer_file != NULL) == (recipe->tokenizer_vocab > 0))
        return icl_yaml_refuse(value, "a tokenizer is either trained to a `vocabulary` or taken "
                                      "from a `file`");
    return ICL_OK;
}

static icl_status read_lora(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    typedef icl_recipe owner;
    static const icl_yaml_rule rules[] = {
        NUMBER("rank", icl_yaml_set_size, lora.rank, 1, 4096),
        NUMBER("alpha", icl_yaml_set_float, lora.alpha, 1e-6, 1e6),
        NAMES("targets", lora_targets),
    };
    icl_recipe *recipe = self;
    (void)rule;
    ICL_TRY(icl_yaml_entries(recipe, value, rules, COUNT_OF(rules)));
    if (recipe->lora.rank == 0) return icl_yaml_refuse(value, "lora needs a rank");
    if (recipe->lora.alpha <= 0) recipe->lora.alpha = (float)recipe->lora.rank;
    return ICL_OK;
}

static icl_status read_start(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    const icl_recipe *recipe = self;
    ICL_TRY(icl_yaml_set_text(self, value, rule));
    const icl_status status = icl_start_check(recipe->start);
    return status == ICL_OK ? ICL_OK : icl_yaml_place(status, value);
}

static icl_status read_rate_factor(void *self, const icl_yaml_value *value)
{
    typedef icl_recipe_rate owner;
    static const icl_yaml_rule factor = REAL(NULL, factor, 0, 1e6);
    const icl_yaml_rule as_text = { .name = NULL, .offset = offsetof(owner, part) };
    const icl_yaml_value key = { .path = value->path, .key = value->key, .node = value->key };
    icl_recipe *recipe = self;
    ICL_TRY(icl_array_reserve(&recipe->rates, &recipe->rate_capacity, recipe->rate_count + 1));
    icl_recipe_rate *rate = &recipe->rates[recipe->rate_count++];
    *rate = (icl_recipe_rate){ 0 };
    ICL_TRY(icl_yaml_set_text(rate, &key, &as_text));
    return icl_yaml_set_real(rate, value, &factor);
}

static icl_status read_rates(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    (void)rule;
    return icl_yaml_each_entry(self, value, read_rate_factor);
}

static icl_status read_labels(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    typedef icl_recipe owner;
    static const icl_yaml_rule rules[] = { NAMES("words", label_words), NAMES("held", held_words) };
    (void)rule;
    return icl_yaml_entries(self, value, rules, COUNT_OF(rules));
}

/* --- data --- */

static icl_status read_words(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    icl_recipe_pool *pool = self;
    icl_text text = { 0 };
    icl_range range = { 0 };
    (void)rule;
    icl_status status = icl_yaml_text(&text, value);
    if (status == ICL_OK) {
        status = icl_range_parse(&range, icl_text_string(&text), 1, 1 << 20);
        if (status != ICL_OK) status = icl_yaml_place(status, value);
    }
    icl_text_deinit(&text);
    if (status != ICL_OK) return status;
    pool->words_min = range.low;
    pool->words_max = range.high;
    return ICL_OK;
}

/* "{ split: train }": only items whose field has this value. */
static icl_status read_condition(void *self, const icl_yaml_value *value)
{
    icl_recipe_pool *pool = self;
    const icl_yaml_rule as_text = { .name = NULL };
    const icl_yaml_value key = { .path = value->path, .key = value->key, .node = value->key };
    if (pool->where_field != NULL)
        return icl_yaml_refuse(&key, "only one field can be asked for in `where`");
    ICL_TRY(icl_yaml_set_text(&pool->where_field, &key, &as_text));
    return icl_yaml_set_text(&pool->where_value, value, &as_text);
}

static icl_status read_where(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    (void)rule;
    return icl_yaml_each_entry(self, value, read_condition);
}

static icl_status read_pool_entries(icl_recipe_pool *pool, const icl_yaml_value *value)
{
    static const char *const cuts[] = { "whole", "sentences", "lines", NULL };
    typedef icl_recipe_pool owner;
    static const icl_yaml_rule rules[] = {
        TEXT("file", file),
        TEXT("text", text_field),
        TEXT("label", label_field),
        { .name = "where", .read = read_where },
        CHOICE("cut", cut, cuts),
        { .name = "words", .read = read_words },
        NUMBER("items", icl_yaml_set_size, items_max, 1, 1e12),
        NUMBER("vectors", icl_yaml_set_size, vectors_max, 1, 1e12),
        TEXT("terms", terms),
    };
    ICL_TRY(icl_yaml_entries(pool, value, rules, COUNT_OF(rules)));
    if (pool->file == NULL || pool->file[0] == '\0') {
        char shown[ICL_QUOTE_BYTES];
        return icl_yaml_refuse(value, "pool %s names no file", icl_yaml_key(shown, value));
    }
    return ICL_OK;
}

static icl_status read_pool(void *self, const icl_yaml_value *value)
{
    icl_recipe *recipe = self;
    const icl_yaml_rule as_text = { .name = NULL };
    const icl_yaml_value key = { .path = value->path, .key = value->key, .node = value->key };
    icl_recipe_pool *pool = NULL;
    ICL_TRY(icl_recipe_add_pool(&pool, recipe));
    ICL_TRY(icl_yaml_set_text(&pool->name, &key, &as_text));
    return read_pool_entries(pool, value);
}

static icl_status read_data(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    (void)rule;
    return icl_yaml_each_entry(self, value, read_pool);
}

/* --- sources --- */

/* A call that the registry of sources can read. */
static icl_status read_call(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    char *pool = NULL;
    bool vectors = false;
    ICL_TRY(icl_yaml_set_text(self, value, rule));
    char *const *call = (char *const *)((const char *)self + rule->offset);
    const icl_status status = icl_source_inspect(&pool, &vectors, *call);
    free(pool);
    return status == ICL_OK ? ICL_OK : icl_yaml_place(status, value);
}

static icl_status read_source(void *self, const icl_yaml_value *item)
{
    typedef icl_recipe_source owner;
    static const icl_yaml_rule rules[] = {
        { .name = "source", .read = read_call, .offset = offsetof(owner, call) },
        REAL("weight", weight, 0, 1e9),
    };
    icl_recipe_source *source = NULL;
    ICL_TRY(icl_recipe_add_source(&source, self));
    ICL_TRY(icl_yaml_entries(source, item, rules, COUNT_OF(rules)));
    if (source->call == NULL) return icl_yaml_refuse(item, "a part of a mixture needs a source");
    return ICL_OK;
}

static icl_status read_mixture(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    const icl_recipe_phase *phase = self;
    double sum = 0;
    (void)rule;
    ICL_TRY(icl_yaml_each(self, value, read_source));
    for (size_t i = 0; i < phase->source_count; i++) sum += phase->sources[i].weight;
    return sum > 0 ? ICL_OK : icl_yaml_refuse(value, "the weights of the mixture add up to 0");
}

/* --- phases --- */

static icl_status read_rate(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    static const char *const shapes[] = {
        "constant", "linear", "cosine", "triangular", "noam", NULL
    };
    typedef icl_optimizer_options owner;
    static const icl_yaml_rule rules[] = {
        REAL("peak", rate, 0, 1e30),
        REAL("end", rate_end, 0, 1e30),
        CHOICE("shape", shape, shapes),
        STEPS("warmup", warmup_steps, 0),
    };
    icl_recipe_phase *phase = self;
    (void)rule;
    phase->optimizer.rate_end = -1;
    ICL_TRY(icl_yaml_entries(&phase->optimizer, value, rules, COUNT_OF(rules)));
    if (phase->optimizer.rate_end < 0) phase->optimizer.rate_end = phase->optimizer.rate / 10;
    return ICL_OK;
}

static icl_status read_adam(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    typedef icl_optimizer_options owner;
    static const icl_yaml_rule rules[] = {
        REAL("beta1", beta1, 0, 0.999999),    REAL("beta2", beta2, 0, 0.999999),
        REAL("epsilon", epsilon, 1e-30, 0.1), REAL("decay", weight_decay, 0, 1e3),
        REAL("clip", clip_norm, 0, 1e9),
    };
    icl_recipe_phase *phase = self;
    (void)rule;
    return icl_yaml_entries(&phase->optimizer, value, rules, COUNT_OF(rules));
}

static icl_status read_loss(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    static const char *const overs[] = { "candidates", "vocabulary", NULL };
    typedef icl_recipe_phase owner;
    static const icl_yaml_rule rules[] = {
        CHOICE("over", answers_over, overs),     REAL("answer", answer_weight, 0, 1e6),
        REAL("text", text_weight, 0, 1e6),       REAL("meaning", meaning_weight, 0, 1e6),
        SIZE("meaning_layer", meaning_layer, 0),
    };
    const icl_recipe_phase *phase = self;
    (void)rule;
    ICL_TRY(icl_yaml_entries(self, value, rules, COUNT_OF(rules)));
    if (phase->answer_weight + phase->text_weight + phase->meaning_weight > 0) return ICL_OK;
    return icl_yaml_refuse(value, "the loss needs a weight for answer, text or meaning");
}

static icl_status read_room(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    typedef icl_batch_limits owner;
    static const icl_yaml_rule rules[] = {
        SIZE("answers", answers_max, 1),
        SIZE("texts", texts_max, 1),
        SIZE("meanings", meanings_max, 1),
        SIZE("candidates", candidates_max, 2),
    };
    icl_recipe_phase *phase = self;
    (void)rule;
    return icl_yaml_entries(&phase->limits, value, rules, COUNT_OF(rules));
}

static icl_status read_phase(void *self, const icl_yaml_value *item)
{
    typedef icl_recipe_phase owner;
    static const icl_yaml_rule rules[] = {
        TEXT("name", name),
        STEPS("steps", steps, 1),
        NUMBER("context", icl_yaml_set_size, limits.context, 2, 1 << 20),
        NUMBER("rows", icl_yaml_set_size, limits.rows, 1, 1 << 20),
        NUMBER("micro", icl_yaml_set_size, micro_batches, 1, 1 << 16),
        { .name = "rate", .read = read_rate },
        { .name = "adam", .read = read_adam },
        { .name = "loss", .read = read_loss },
        { .name = "room", .read = read_room },
        { .name = "mixture", .read = read_mixture },
    };
    icl_recipe_phase *phase = NULL;
    ICL_TRY(icl_recipe_add_phase(&phase, self));
    ICL_TRY(icl_yaml_entries(phase, item, rules, COUNT_OF(rules)));
    const icl_status status = icl_recipe_complete_phase(self, phase);
    return status == ICL_OK ? ICL_OK : icl_yaml_place(status, item);
}

static icl_status read_phases(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    (void)rule;
    return icl_yaml_each(self, value, read_phase);
}

/* --- evaluation and output --- */

static icl_status read_set(void *self, const icl_yaml_value *item)
{
    typedef icl_recipe_set owner;
    static const icl_yaml_rule rules[] = {
        TEXT("name", name),
        { .name = "source", .read = read_call, .offset = offsetof(owner, call) },
    };
    const icl_recipe *recipe = self;
    icl_recipe_set *set = NULL;
    ICL_TRY(icl_recipe_add_set(&set, self));
    ICL_TRY(icl_yaml_entries(set, item, rules, COUNT_OF(rules)));
    if (set->name == NULL || set->call == NULL)
        return icl_yaml_refuse(item, "an evaluation set needs a name and a source");
    for (size_t i = 0; i + 1 < recipe->set_count; i++)
        if (strcmp(recipe->sets[i].name, set->name) == 0)
            return icl_yaml_refuse(item, "evaluation set \"%.60s\" stands twice", set->name);
    return ICL_OK;
}

static icl_status read_sets(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    (void)rule;
    return icl_yaml_each(self, value, read_set);
}

static icl_status read_evaluate(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    typedef icl_recipe owner;
    static const icl_yaml_rule rules[] = {
        STEPS("every", evaluate_every, 0),
        SIZE("episodes", evaluate_episodes, 1),
        NUMBER("context", icl_yaml_set_size, evaluate_context, 2, 1 << 20),
        { .name = "sets", .read = read_sets },
    };
    (void)rule;
    return icl_yaml_entries(self, value, rules, COUNT_OF(rules));
}

static icl_status read_checkpoint(void *self, const icl_yaml_value *value,
                                  const icl_yaml_rule *rule)
{
    typedef icl_recipe owner;
    static const icl_yaml_rule rules[] = { STEPS("every", checkpoint_every, 0) };
    (void)rule;
    return icl_yaml_entries(self, value, rules, COUNT_OF(rules));
}

static icl_status read_log(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    typedef icl_recipe owner;
    static const icl_yaml_rule rules[] = { STEPS("every", log_every, 1) };
    (void)rule;
    return icl_yaml_entries(self, value, rules, COUNT_OF(rules));
}

static icl_status read_also(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    static const char *const names[] = { "f32", NULL };
    icl_recipe *recipe = self;
    size_t index = 0;
    (void)rule;
    ICL_TRY(icl_yaml_choice(&index, value, names));
    recipe->output_also_f32 = true;
    return ICL_OK;
}

static icl_status read_type(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    static const char *const names[] = { "f32", "f16", "q8_0", "none", NULL };
    static const icl_weight_type types[] = { ICL_WEIGHT_F32, ICL_WEIGHT_F16, ICL_WEIGHT_Q8_0 };
    enum { TYPES = sizeof types / sizeof *types };
    icl_recipe *recipe = self;
    size_t index = 0;
    (void)rule;
    ICL_TRY(icl_yaml_choice(&index, value, names));
    recipe->writes_model = index < TYPES;
    if (index < TYPES) recipe->output_type = types[index];
    return ICL_OK;
}

static icl_status read_output(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    typedef icl_recipe owner;
    static const icl_yaml_rule rules[] = {
        { .name = "type", .read = read_type },
        { .name = "also", .read = read_also },
        TEXT("license", license),
        TEXT("description", description),
    };
    (void)rule;
    return icl_yaml_entries(self, value, rules, COUNT_OF(rules));
}

/* A recipe's name is the name of a file. */
static icl_status read_name(void *self, const icl_yaml_value *value, const icl_yaml_rule *rule)
{
    const icl_recipe *recipe = self;
    ICL_TRY(icl_yaml_set_text(self, value, rule));
    const char *name = recipe->name;
    const size_t fits = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-_.");
    if (fits == strlen(name) && fits > 0 && fits <= NAME_BYTES_MAX && name[0] != '.') return ICL_OK;
    char shown[ICL_QUOTE_BYTES];
    return icl_yaml_refuse(value, "name %s is not made of letters, digits, -, _ and .",
                           icl_quote(shown, name, strlen(name)));
}

icl_status icl_recipe_read(icl_recipe *recipe, const char *bytes, size_t length)
{
    typedef icl_recipe owner;
    static const icl_yaml_rule rules[] = {
        { .name = "name", .read = read_name, .offset = offsetof(owner, name) },
        NUMBER("seed", icl_yaml_set_u64, seed, 0, 9007199254740992.0),
        { .name = "model", .read = read_model },
        { .name = "tokenizer", .read = read_tokenizer },
        TEXT("from", from),
        { .name = "lora", .read = read_lora },
        NAMES("freeze", frozen),
        { .name = "rates", .read = read_rates },
        TEXT("encoder", encoder),
        { .name = "start", .read = read_start, .offset = offsetof(owner, start) },
        { .name = "labels", .read = read_labels },
        { .name = "data", .read = read_data },
        { .name = "phases", .read = read_phases },
        { .name = "evaluate", .read = read_evaluate },
        { .name = "checkpoint", .read = read_checkpoint },
        { .name = "log", .read = read_log },
        { .name = "output", .read = read_output },
    };
    return icl_yaml_parse(recipe, bytes, length, recipe->path, rules, COUNT_OF(rules));
}

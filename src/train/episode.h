/* train/episode.h - one prompt of in-context learning as a training sequence: demonstrations of a
 * few classes, then a query. Shared by the sources that differ in what a class is.
 *
 *   icl_episode_begin(&episode, &rng);             (how many classes, which kind of labels, ...)
 *   ... the source adds members: icl_episode_add(&episode, item, class) ...
 *   icl_episode_write(&episode, out, &rng);        (query, demonstrations, labels, template)
 */
#ifndef ICL_TRAIN_EPISODE_H
#define ICL_TRAIN_EPISODE_H

#include "base/string_map.h"
#include "train/label_set.h"
#include "train/range.h"
#include "train/source.h"

typedef enum icl_label_kind {
    ICL_LABELS_NAMES,   /* those of the data */
    ICL_LABELS_WORDS,   /* of the recipe */
    ICL_LABELS_SYMBOLS, /* random letters or numbers (Wei et al. 2023) */
    ICL_LABELS_MIXED,   /* one of the kinds that there are, drawn for each episode */
    ICL_LABELS_HELD,    /* the recipe's words that are kept apart for evaluation */
} icl_label_kind;

typedef enum icl_choose {
    ICL_CHOOSE_BALANCED, /* equally many of each class, in random order */
    ICL_CHOOSE_RANDOM,
    ICL_CHOOSE_NEAREST, /* to the query among a small random pool; nearest last */
    ICL_CHOOSE_MIXED,   /* one of them, drawn for each episode */
} icl_choose;

typedef enum icl_episode_loss {
    ICL_LOSS_QUERY, /* the query's label */
    ICL_LOSS_ALL,   /* and every demonstration's from the second on */
    ICL_LOSS_SEEN,  /* those of them whose class has been shown */
} icl_episode_loss;

/* An item that may take part in an episode. */
typedef struct icl_member {
    size_t item; /* of the pool */
    size_t class_index;
    size_t shown; /* class whose label it carries; another one by noise */
    double nearness;
} icl_member;

/* What one episode is made of, and the memory that the episodes of a source share. */
typedef struct icl_episode {
    /* of the source */
    const icl_bpe *bpe;
    const icl_pool *data;
    size_t item_count;  /* the first items of `data`, all that may be members */
    const char **words; /* [word_count] of the recipe, without held ones; or the held ones */
    size_t word_count;
    icl_string_map held;
    icl_range classes_range, shots_range;
    icl_label_kind labels_asked;
    icl_choose choose_asked;
    size_t pool, words_max;
    size_t context; /* tokens behind `begin` */
    double noise, flip;
    icl_episode_loss loss;
    bool has_names, meaning;
    int32_t begin, line_end; /* tokens; begin -1: prompts begin without one */
    /* of the episode at hand */
    icl_label_kind labels;
    icl_choose choose;
    size_t class_count, shots;
    icl_label_set label_set; /* of each class; with ICL_LABELS_NAMES filled by the source */
    icl_member query;        /* item SIZE_MAX: drawn from the members */
    icl_member *members;     /* [member_count] all different, without the query when that is set */
    size_t member_count, member_capacity;
    icl_text text;     /* an input with its frame */
    icl_tokens inputs; /* of the demonstrations, then of the query */
    size_t *input_starts, input_capacity;
    size_t *order; /* [order_capacity] scratch of draws */
    size_t order_capacity;
} icl_episode;

/* `has_names`: the classes have names of the data. ICL_EINVAL: an option asks for what there is
 * not. On failure *out is empty. */
icl_status icl_episode_init(icl_episode *out, const icl_source_world *world,
                            const icl_options *options, bool has_names);
void icl_episode_deinit(icl_episode *episode);
bool icl_episode_needs_vectors(const icl_options *options);

/* Draws class_count, shots, labels and choose; no members, no query, no names yet. The source may
 * lower class_count, but not below 2. */
void icl_episode_begin(icl_episode *episode, icl_rng *rng);
icl_status icl_episode_add(icl_episode *episode, size_t item, size_t class_index);
/* Adds a name of the data to `label_set`; *out_added is false when it begins like another one or is
 * a word that is kept apart. */
icl_status icl_episode_add_name(icl_episode *episode, const char *name, bool *out_added);
/* Draws the query where the source has set none, demonstrations, labels and template, and writes
 * them; at least one member must be left for a demonstration. To fit the context demonstrations are
 * left out from the front, the farthest, then inputs cut. ICL_ECONTEXT: even so it does not. */
icl_status icl_episode_write(icl_episode *episode, icl_sequence *out, icl_rng *rng);

/* How a demonstration looks: before, the input, behind it, the label; then `gap` line ends. */
typedef struct icl_episode_template {
    const char *before, *behind;
    size_t gap;
} icl_episode_template;
const icl_episode_template *icl_episode_templates(size_t *out_count);

/* Options of every such source: use in its card after ICL_SOURCE_OPTION_DATA. */
extern const char *const icl_label_kind_names[], *const icl_choose_names[],
                                                     *const icl_episode_loss_names[];
#define ICL_EPISODE_OPTIONS(classes, label_kinds)                                                  \
    { .name = "classes",                                                                           \
      .type = ICL_OPTION_TEXT,                                                                     \
      .fallback = classes,                                                                         \
      .minimum = 2,                                                                                \
      .maximum = ICL_CLASSES_MAX,                                                                  \
      .help = "classes of an episode, drawn from this range" },                                    \
        { .name = "shots",                                                                         \
          .type = ICL_OPTION_TEXT,                                                                 \
          .fallback = "4-16",                                                                      \
          .minimum = 1,                                                                            \
          .maximum = 256,                                                                          \
          .help = "demonstrations of an episode, of all classes together" },                       \
        { .name = "labels",                                                                        \
          .type = ICL_OPTION_CHOICE,                                                               \
          .fallback = label_kinds,                                                                 \
          .choices = icl_label_kind_names,                                                         \
          .help = "names of the data, the recipe's words, random symbols, a mix, or held words" }, \
        { .name = "choose",                                                                        \
          .type = ICL_OPTION_CHOICE,                                                               \
          .fallback = "balanced",                                                                  \
          .choices = icl_choose_names,                                                             \
          .help =                                                                                  \
              "demonstrations: equally many of each class, any, or those nearest to the query" },  \
        { .name = "pool",                                                                          \
          .type = ICL_OPTION_INT,                                                                  \
          .fallback = "60",                                                                        \
          .minimum = 1,                                                                            \
          .maximum = 4096,                                                                         \
          .help = "items among which choose=nearest looks" },                                      \
        { .name = "noise",                                                                         \
          .type = ICL_OPTION_REAL,                                                                 \
          .fallback = "0",                                                                         \
          .minimum = 0,                                                                            \
          .maximum = 1,                                                                            \
          .help = "share of demonstrations that carry another class's label" },                    \
        { .name = "flip",                                                                          \
          .type = ICL_OPTION_REAL,                                                                 \
          .fallback = "0",                                                                         \
          .minimum = 0,                                                                            \
          .maximum = 1,                                                                            \
          .help =                                                                                  \
              "share of episodes with labels=names in which the classes exchange their names" },   \
        { .name = "words_max",                                                                     \
          .type = ICL_OPTION_INT,                                                                  \
          .fallback = "24",                                                                        \
          .minimum = 1,                                                                            \
          .maximum = 4096,                                                                         \
          .help = "words of an input; longer ones are cut" },                                      \
        { .name = "loss",                                                                          \
          .type = ICL_OPTION_CHOICE,                                                               \
          .fallback = "all",                                                                       \
          .choices = icl_episode_loss_names,                                                       \
          .help = "predict the query's label; every label from the second one on; or those of "    \
                  "classes shown before" },                                                        \
    {                                                                                              \
        .name = "meaning", .type = ICL_OPTION_BOOL, .fallback = "false",                           \
        .help = "the read-out before each label shall equal the input's sentence vector"           \
    }

#endif

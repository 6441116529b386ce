/* tests/train/parsed_episode.h - reads an episode over source_world's labelled pool back from its
 * tokens: which items it shows, in order, and the label behind each. */
#ifndef TESTS_TRAIN_PARSED_EPISODE_H
#define TESTS_TRAIN_PARSED_EPISODE_H

#include "train/episode.h"
#include "train/source_world.h"

enum { PARSED_MAX = 64 };

typedef struct parsed_episode {
    char *text;
    size_t count; /* demonstrations and, last, the query */
    size_t items[PARSED_MAX];
    char labels[PARSED_MAX][32];
    size_t label_ends[PARSED_MAX]; /* bytes of `text` */
} parsed_episode;

/* Bytes of the template's part between input and label, or 0 when no template fits. */
static inline size_t behind_bytes(const char *at)
{
    size_t count = 0;
    const icl_episode_template *frames = icl_episode_templates(&count);
    for (size_t i = 0; i < count; i++)
        if (strncmp(at, frames[i].behind, strlen(frames[i].behind)) == 0)
            return strlen(frames[i].behind);
    return 0;
}

static inline parsed_episode parse_episode(const source_world *w, const icl_sequence *sequence)
{
    parsed_episode parsed = { .text = text_of(w->bpe, sequence, 0, sequence->count) };
    static const char mark[] = " number ";
    for (const char *at = parsed.text; (at = strstr(at, mark)) != NULL;) {
        const size_t item = strtoul(at + strlen(mark), NULL, 10);
        assert_true(item < WORLD_ITEMS && parsed.count < PARSED_MAX);
        const char *input = at - (strstr(w->texts[item], mark) - w->texts[item]);
        assert_memory_equal(input, w->texts[item], strlen(w->texts[item]));
        at = input + strlen(w->texts[item]);
        const size_t behind = behind_bytes(at);
        assert_true(behind > 0 && at[behind] == ' ');
        at += behind + 1;
        const size_t bytes = strcspn(at, "\n");
        assert_true(bytes > 0 && bytes < sizeof parsed.labels[0]);
        memcpy(parsed.labels[parsed.count], at, bytes);
        at += bytes;
        parsed.label_ends[parsed.count] = (size_t)(at - parsed.text);
        parsed.items[parsed.count++] = item;
    }
    assert_true(parsed.count >= 2);
    assert_int_equal(parsed.label_ends[parsed.count - 1], strlen(parsed.text));
    return parsed;
}

static inline void free_parsed(parsed_episode *parsed)
{
    free(parsed->text);
}

#endif

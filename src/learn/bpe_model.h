/* learn/bpe_model.h - what a tokenizer is made of; shared by its trainer, encoder and files.
 *
 * Tokens and merges are added first; icl_bpe_finish makes it ready to encode. A token's spelling is
 * what files hold: specials as they are, others with each byte as GPT-2's printable character.
 */
#ifndef ICL_LEARN_BPE_MODEL_H
#define ICL_LEARN_BPE_MODEL_H

#include "base/text.h"
#include "learn/bpe.h"
#include "learn/bpe_tables.h"

struct gguf_context;

enum { ICL_BPE_CODES = 0x144 }; /* characters that bytes are written as lie below */

struct icl_bpe {
    icl_word_table spellings; /* of all tokens; the index is the id */
    char *pieces;             /* bytes of all tokens */
    size_t piece_bytes, piece_capacity;
    size_t *piece_ends; /* [token] */
    size_t end_capacity;
    bool *special; /* [token] */
    size_t special_capacity;
    icl_pair *merges; /* [merge_count], by rank */
    int32_t *merged;  /* [merge_count], what they make */
    size_t merge_count, merge_capacity, merged_capacity;
    int32_t end_of_text, padding; /* -1: none */
    bool adds_bos;
    int32_t byte_ids[256];               /* tokens of single bytes; -1: not added yet */
    char byte_spellings[256][3];         /* printable characters, UTF-8 */
    int16_t byte_of_code[ICL_BPE_CODES]; /* and back; -1: no byte is written as this character */

    /* made by icl_bpe_finish */
    icl_pair_table ranks; /* pair -> index of its merge */
    icl_word_table whole; /* words that encode to one token ... */
    int32_t *whole_ids;   /* ... which is this */
    size_t whole_capacity;
};

icl_status icl_bpe_new(icl_bpe **out);
/* ICL_EINVAL: the spelling is taken. ICL_EPARSE: not made of byte characters. */
icl_status icl_bpe_add_token(icl_bpe *bpe, const char *spelling, size_t length, bool special);
icl_status icl_bpe_add_merge(icl_bpe *bpe, icl_pair pair, int32_t merged);
/* ICL_EINVAL: some byte has no token. */
icl_status icl_bpe_finish(icl_bpe *bpe);

/* ICL_EPARSE: not UTF-8. */
icl_status icl_bpe_check_text(const char *text, size_t length);
/* Appends the ids of one word of the split, by merging alone. */
icl_status icl_bpe_encode_word(const icl_bpe *bpe, const char *word, size_t length,
                               icl_tokens *out);
/* Id of the token that `left` and `right` join to by spelling, or -1. `scratch` is overwritten with
 * the joined spelling. */
int32_t icl_bpe_joined(const icl_bpe *bpe, icl_pair pair, icl_text *scratch);

/* Sets the values of tokenizer.ggml.*. */
icl_status icl_bpe_to_gguf(struct gguf_context *gguf, const icl_bpe *bpe);

#endif

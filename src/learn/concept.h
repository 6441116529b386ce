/* learn/concept.h - concepts: new input vectors of a frozen language model, learned so that a few
 * of them before an input make its label likely; and how likely they are after an example.
 *
 *   icl_concepts *concepts = NULL;
 *   icl_status status = icl_concepts_new(&concepts, model, &shape, NULL);
 *   for (...) status = icl_concepts_learn(&loss_nats, concepts, batch, &adam);
 *   status = icl_concepts_score(&mean_nats, concepts, &example, group);
 *   icl_concepts_free(concepts);
 *
 * The output table is extended by the same vectors: probabilities are over the vocabulary and all
 * concept tokens.
 */
#ifndef ICL_LEARN_CONCEPT_H
#define ICL_LEARN_CONCEPT_H

#include "learn/transformer.h"
#include "math/adamw.h"
#include "learn/trainable.h"

/* What a concept is taught by; the label's words come after the lead. */
typedef struct icl_concept_sequence {
    icl_labelled_tokens example;
    size_t group; /* whose concept it teaches */
} icl_concept_sequence;

typedef struct icl_concepts_shape {
    size_t concept_tokens; /* of a concept */
    size_t group_count;    /* concepts */
    size_t batch_size;     /* sequences of a step; 0: nothing is learned */
    size_t tokens_max;     /* longest sequence, without the concept */
    size_t answer_max;     /* most tokens of a label's words */
} icl_concepts_shape;

typedef struct icl_concepts icl_concepts;

/* Of a frozen model, which is borrowed. The concepts start as `vectors`
 * [group_count * concept_tokens][width], or, where that is NULL, as rows of the vocabulary: the
 * first one as rows 0 .. concept_tokens - 1, the next with the rows after them. ICL_EINVAL: the
 * vocabulary is smaller than all concepts together; ICL_ENOMEM. */
icl_status icl_concepts_new(icl_concepts **out, icl_transformer *model,
                            const icl_concepts_shape *shape, const float *vectors);
void icl_concepts_free(icl_concepts *concepts);

/* [group_count * concept_tokens][width]; borrowed. */
const float *icl_concepts_vectors(const icl_concepts *concepts);
size_t icl_concepts_width(const icl_concepts *concepts);

/* One step on batch[batch_size]. The loss, before the step: -log P(label's words | concept,
 * prompt), the mean over tokens, then over sequences, in nats. ICL_EMODEL: it is not finite, and
 * nothing was changed. */
icl_status icl_concepts_learn(double *out_loss_nats, icl_concepts *concepts,
                              const icl_concept_sequence *batch, const icl_adamw_options *options);

/* Mean log P(concept token | example, concept tokens before it). ICL_EMODEL: not finite. */
icl_status icl_concepts_score(double *out_nats, icl_concepts *concepts,
                              const icl_labelled_tokens *example, size_t group);

#endif

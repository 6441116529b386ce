/* select/ranking_loss.h - losses of retrievers as functions of the scores alone, with gradients.
 *
 * Every function ADDS weight * d loss / d scores to `gradient`, which has the shape of `scores`,
 * and returns the loss without the weight. Scores are finite.
 */
#ifndef ICL_SELECT_RANKING_LOSS_H
#define ICL_SELECT_RANKING_LOSS_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

/* Mean over rows of -log softmax(row)[positive], with columns that are masked for a row left out of
 * its softmax: Oord et al. 2018, "Representation Learning with Contrastive Predictive Coding". */
typedef struct icl_infonce {
    size_t rows, columns;
    const double *scores;    /* [rows][columns] */
    const size_t *positives; /* [rows] columns, not masked */
    const bool *masked;      /* [rows][columns]; NULL: none is */
} icl_infonce;
double icl_loss_infonce(double *gradient, const icl_infonce *input, double weight);

/* Scores best first by what the model said. Scaled to 0..1 they shall fall by `margin` a rank: sum
 * over gaps g of the mean over pairs of max(0, g margin - (s_i - s_{i+g})). Of equal scores, which
 * cannot be scaled, all gaps are missed and no direction is better: no gradient.
 * Ye et al. 2023, "Compositional Exemplars for In-context Learning". */
double icl_loss_rank_margin(double *gradient, const double *scores, size_t count, double margin,
                            double weight);

typedef enum icl_lambda { ICL_LAMBDA_MRR, ICL_LAMBDA_RANK } icl_lambda;

/* Mean over pairs that the true ranks tell apart of w log(1 + exp(s_worse - s_better)), w being
 * what the swap of the two changes in the mean reciprocal rank or in the normalised discounted
 * gain, by the order that the scores give now. ranks [count] from 1, equal ones may be; relevance
 * is 1 / rank. Differences are clamped to 50. ICL_ENOMEM. Burges 2010, "From RankNet to LambdaRank
 * to LambdaMART"; Li et al. 2023, "Unified Demonstration Retriever for In-Context Learning". */
typedef struct icl_lambda_loss {
    size_t count;
    const double *scores;
    const size_t *ranks;
    icl_lambda metric;
} icl_lambda_loss;
icl_status icl_loss_lambda(double *gradient, double *out_loss, const icl_lambda_loss *input,
                           double weight);

/* KL(softmax(teacher / teacher_temperature) || softmax(scores / temperature)), nats. ICL_ENOMEM. */
typedef struct icl_distil {
    size_t count;
    const double *scores, *teacher;
    double temperature, teacher_temperature;
} icl_distil;
icl_status icl_loss_distil(double *gradient, double *out_loss, const icl_distil *input,
                           double weight);

#endif

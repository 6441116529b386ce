/* Domain-context calibration: divides each label's probability by what the same demonstrations give
 * it for random words of the task's own texts.
 *
 * The texts are drawn by the pipeline: words of the pool's input fields, each place of the corpus
 * equally likely, every field its own, by default as many as the average text has. As in the
 * authors' code, 20 texts whose raw probabilities are averaged and then divided by their sum; they
 * draw from the test texts in lower case, we from the pool's texts as they are written. StaICC
 * takes 128 texts of 64 words, and random demonstrations for each.
 */
#include "score/calibrate_parts.h"

static icl_status calibrate_domain(icl_calibration *out, const icl_calibrate_input *input,
                                   const icl_options *options)
{
    (void)options;
    return icl_calibrate_divide(out, input, input->domain_nats, input->domain_count);
}

static const icl_option options[] = {
    { .name = "texts",
      .type = ICL_OPTION_INT,
      .fallback = "20",
      .minimum = 1,
      .maximum = 1000,
      .help = "random texts per set of demonstrations" },
    { .name = "words",
      .type = ICL_OPTION_INT,
      .fallback = "0",
      .minimum = 0,
      .maximum = 1000,
      .help = "words of a random text; 0: as many as the average text of the pool has" },
};

const icl_calibrate_method icl_calibrate_domain = {
    .card = { .name = "domain",
              .summary = "Divides by the probabilities that random words of the pool's texts get "
                         "under the same demonstrations.",
              .paper = "Fei et al. 2023, \"Mitigating Label Biases for In-context Learning\"",
              .cost = "`texts` queries of random words per set of demonstrations",
              .needs = ICL_NEEDS_DOMAIN_TEXTS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = calibrate_domain,
};

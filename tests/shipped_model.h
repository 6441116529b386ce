/* shipped_model.h - the model in models/ that a run takes when none is named. */
#ifndef ICL_TESTS_SHIPPED_MODEL_H
#define ICL_TESTS_SHIPPED_MODEL_H

#define SHIPPED_MODEL ICL_SOURCE_DIR "/models/icl-base.gguf"

#endif

"""Byte-level BPE as the PyPI package tokenizers 0.23.3 trains and applies it.

Run with that package: python tests/golden/make_bpe.py NOVEL > tests/golden/bpe_cases.jsonl
NOVEL is a text file of which the first 40,000 characters are used: Robert Louis Stevenson,
"Treasure Island" (1883), as the repository computationalstylistics/100_english_novels on GitHub has
it at 143e6018 (corpus/Stevenson_Treasure_1883.txt), line ends normalised, hard-wrapped lines joined.

A line is a case: texts and options of the trainer, the vocabulary in order of ids, the merges in order
of ranks, and texts with their ids. Trainer: models.BPE(), pre_tokenizers.ByteLevel(
add_prefix_space=False, use_regex=True), full byte alphabet. Small random texts over few letters make
ties, overlaps and tokens that are reached in two ways; random strings take code points that Unicode
14 has assigned, since the package knows Unicode 16 and the tested library 15.
"""

import json
import random
import sys
import unicodedata

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

SEED = 20261121
ALPHABETS = ["ab", "abc ", "0123 '", "aé漢 \n\t'sd", "abcdefgh  '.,1", "a\u00a0\u3000 \u0301b"]
SENTENCES = [
    "It's what they'll say: I'd've gone, we're late, you've 12,345.67 reasons.",
    "  two  spaces   three    four\n\n\tindented\r\n trailing   ",
    "Ça va? Größe, naïve façade, smørrebrød; Ελληνικά, Русский, עברית, العربية.",
    "漢字とかなの混じった文。한국어 문장입니다. ภาษาไทย हिन्दी",
    "½ ² Ⅷ ① ٣ ৪ 𝟘 x²+y²=z² 😀👩‍👩‍👧 e\u0301 \u200b\u00a0\u2003\u3000.",
    "don't DON'T don’t 'tis 's 'S ''s 'll'll 're",
    "\u0000\u001c\u001f\u007f\u0085 control\u0000s",
    "<|endoftext|> is text here <|pad|>",
]


def trained(texts, vocab_count, pair_count_min, specials):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_count,
        min_frequency=pair_count_min,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return json.loads(tokenizer.to_str())["model"]


def encoder(model):
    """The model alone: specials inside a text are text."""
    vocab = model["vocab"]
    tokenizer = Tokenizer(models.BPE(vocab, [tuple(merge) for merge in model["merges"]]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def case(name, texts, vocab_count, probes, pair_count_min=2, specials=("<|endoftext|>",)):
    model = trained(texts, vocab_count, pair_count_min, list(specials))
    encode = encoder(model)
    line = {
        "name": name,
        "texts": texts,
        "vocab_count": vocab_count,
        "pair_count_min": pair_count_min,
        "specials": list(specials),
        "vocab": sorted(model["vocab"], key=model["vocab"].get)[len(specials) + 256 :],
        "merges": [" ".join(merge) for merge in model["merges"]],
        "probes": [{"text": text, "ids": encode(text)} for text in probes],
    }
    print(json.dumps(line, ensure_ascii=False, separators=(",", ":")))


def random_text(draw, letters, length_max):
    return "".join(draw.choice(letters) for _ in range(draw.randint(0, length_max)))


def random_unicode(draw, assigned):
    common = "   \t\n''stmdrevl aZ09.,-\u00a0\u3000é漢😀"
    return "".join(
        draw.choice(common) if draw.random() < 0.7 else chr(draw.choice(assigned))
        for _ in range(draw.randint(1, 30))
    )


def main():
    draw = random.Random(SEED)
    assigned = [
        code for code in range(1, 0x110000) if unicodedata.category(chr(code)) not in ("Cn", "Cs")
    ]
    novel = open(sys.argv[1], encoding="utf-8").read()[:40000]
    strings = [random_unicode(draw, assigned) for _ in range(300)]
    case("novel", novel.split("\n\n"), 1500, SENTENCES + strings[:100])
    case("novel, 300 tokens", [novel[:8000]], 300, SENTENCES)
    case("novel until its pairs run out", [novel[:20000]], 4000, SENTENCES)
    case("sentences", SENTENCES * 3, 700, SENTENCES + strings[100:])
    case("random strings", strings, 500, strings[:50], pair_count_min=3)
    case("two specials", SENTENCES, 400, SENTENCES, specials=("<|endoftext|>", "<|pad|>"))
    case("specials that text can spell", ["the the then"] * 3, 300, ["the then"], specials=("the",))
    case("nothing", [], 300, SENTENCES[:1])
    case("empty text", [""], 300, [""])
    case("no room for merges", SENTENCES, 257, SENTENCES[:3])
    for i in range(60):
        letters = ALPHABETS[i % len(ALPHABETS)]
        texts = [random_text(draw, letters, 60) for _ in range(draw.randint(1, 8))]
        probes = [random_text(draw, letters, 40) for _ in range(3)]
        vocab_count = 257 + draw.choice([1, 5, 20, 60, 1000])
        case(f"random {i}", texts, vocab_count, probes, draw.choice([1, 1, 2, 2, 3]))


main()

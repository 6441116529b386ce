#!/usr/bin/env python3
"""Makes jinja_cases.jsonl: templates and what Python's jinja2 renders, for tests/template/test_jinja.c.

    python3 make_jinja_cases.py > jinja_cases.jsonl                    # the committed file
    python3 make_jinja_cases.py --random 20000 --seed 7 > more.jsonl   # ICL_JINJA_CASES=more.jsonl

Needs jinja2 3.1 (made with 3.1.6). Lines: {"contexts": {...}} once, then one case each:
{"source", "context", "out"} or {"source", "context", "error": true}; "chat": true marks the settings
that models' chat templates are written for (trim_blocks, lstrip_blocks, lenient undefined).
`names` is what jinja2.meta finds undeclared, where the template binds no name but by `for`.
Random cases come from a grammar with a fixed seed. Cases that only show a difference listed in
src/template/jinja.h (long integers, printed generators) are not written.
"""
import argparse
import functools
import json
import random
import re
import sys
import warnings

import jinja2
import jinja2.sandbox
from jinja2 import meta

CONTEXTS = {
    "main": {
        "text": "Hello, World", "name": "ana maria", "empty": "", "pad": "  two  spaces \n",
        "uni": "Straße naïve 日本 🙂 é", "quote": "it's \"ok\"\\", "n": 7, "zero": 0, "neg": -3,
        "big": 123456789012, "f": 2.5, "tiny": 1e-7, "yes": True, "no": False, "nil": None,
        "xs": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple"], "none_list": [],
        "mixed": [1, "a", None, 2.0, True, [1, 2], {"k": "v"}],
        "d": {"a": 1, "b": "two", "C": [1, 2]}, "nested": {"p": {"q": [{"r": "deep"}]}},
        "people": [{"name": "Bo", "age": 31, "tags": ["x"]}, {"name": "al", "age": 25, "tags": []},
                   {"name": "Cy", "age": 31, "tags": ["y", "z"]}],
        "lines": "one\ntwo\r\nthree\n\nfive", "csv": "a,b,,c",
    },
    "demo": {
        "demos": [{"text": "good film", "label": 1}, {"text": "dull", "label": 0}],
        "query": {"text": "a fine day"}, "labels": ["negative", "positive"], "task": "sentiment",
    },
    "talk": {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi <there>"},
                     {"role": "assistant", "content": " Hello! "}, {"role": "user", "content": "Bye"}],
        "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>",
    },
    "plain_talk": {
        "messages": [{"role": "user", "content": "Wie heißt du?\n"}, {"role": "assistant", "content": "Bot"},
                     {"role": "user", "content": "Danke"}],
        "add_generation_prompt": False, "bos_token": "<bos>", "eos_token": "<eos>",
    },
    "bad_talk": {"messages": [{"role": "assistant", "content": "first?"}], "bos_token": "<s>",
                 "eos_token": "</s>", "add_generation_prompt": False},
}

WRITTEN = [
    # text, comments, white space, raw
    "", "plain\n", "a{# gone #}b", "a {#- x -#} b", "a\r\nb\rc", "{{ 1 }}\n\n", "  {%- if yes %} x {% endif -%}  y",
    "{{- text -}} !", " {{+ text }}", "{% raw %}{{ x }}{% endraw %}", "a {%- raw -%}  {% b %} {%- endraw -%} c",
    "{% raw %}\n{% if %}\n{%- endraw %}\n", "{# {{ x }} {% y %} #}z", "{% if yes %}\n  a\n{% endif %}\nb",
    "{%+ if yes +%} a {%+ endif +%} b", "a{{'}}'}}b", "{{ {'a': {'b': 1}}['a']['b'] }}", "{{ {} }}{{ [] }}{{ () }}",
    "{%if yes%}x{%endif%}", "{{text}}{{n}}", "{{ '{{' }} {{ \"%}\" }}", "} }} %} #} {", "{ { x } }",
    "{% raw %}a{% endraw %}{% raw %} b {% endraw %}", "{%- raw %}  x {% endraw %}",
    # literals
    r"{{ 'a\'b' }}{{ "  + r'"q\"r"' + r" }}{{ '\n\t\\x\x41\u00e9\U0001F642\101\q' }}", "{{ 'a' 'b' \"c\" }}",
    "{{ 0x1F }} {{ 0b101 }} {{ 0o17 }} {{ 1_000 }} {{ 00 }} {{ 1_0.5_0 }} {{ 1e3 }} {{ 1.5E-3 }} {{ 2e+2 }}",
    "{{ true }} {{ True }} {{ false }} {{ False }} {{ none }} {{ None }}", "{{ [1, 'a', none, true, 2.0, (1,), {}] }}",
    "{{ (1) }} {{ (1,) }} {{ (1, 2) }} {{ 1, 2 }}", "{{ {'a': 1, 2: 'b', none: [], 1.5: true,} }}", "{{ [1, 2,] }}",
    "{{ {1: 'a', true: 'b', 1.0: 'c'} }}", "{{ {(1, 2): 3}[(1, 2)] }}", "{{ [[1, [2]], {'x': {'y': ()}}] }}",
    "{{ quote }} {{ [quote] }} {{ ['it\\'s'] }} {{ ['\\n\\x00\\x7f\\u200b\\ue000é🙂'] }}", "{{ ['\\u2028 \\xa0'] }}",
    # floats
    "{{ 0.1 + 0.2 }} {{ 1/3 }} {{ 1e16 }} {{ 1e15 }} {{ 123456789.123 }} {{ 1e-4 }} {{ 1e-5 }} {{ 5e-324 }}",
    "{{ 1e22 }} {{ 1e23 }} {{ 1.7976931348623157e308 }} {{ -0.0 }} {{ 100.0 }} {{ 1e400 }} {{ -1e400 }} {{ 2.5e-10 }}",
    "{{ 1e400 - 1e400 }}", "{{ 9007199254740993 + 0.0 }} {{ 9007199254740993 == 9007199254740992.0 }}",
    # arithmetic
    "{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ -7.5 % 2 }} {{ 7.5 // -2 }} {{ 6 / 3 }}",
    "{{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 2.0 ** 0.5 }} {{ 0 ** 0 }} {{ 10 ** 18 }}",
    "{{ 1 + 2 * 3 - 4 / 2 }} {{ (1 + 2) * 3 }} {{ 1 ~ 2 + 3 }} {{ 'a' ~ 1 ~ none ~ 2.0 }} {{ 1 + 1 ~ 2 * 3 }}",
    "{{ 'ab' * 3 }} {{ 2 * 'x' }} {{ [1] * 2 }} {{ (1, 2) * 2 }} {{ 'a' * -1 }}|{{ [1] + [2] }} {{ (1,) + (2,) }}",
    "{{ true + true }} {{ true * 3 }} {{ -true }} {{ +5 }} {{ - 5 }} {{ 5 - -5 }} {{ not not 1 }}", "{{ 1 / 0 }}",
    "{{ 1 // 0 }}", "{{ 1 % 0 }}", "{{ 1.0 % 0 }}", "{{ 0 ** -1 }}", "{{ 1 + 'a' }}", "{{ 'a' + 1 }}", "{{ [1] + (2,) }}",
    "{{ none + 1 }}", "{{ -'a' }}", "{{ {} + {} }}", "{{ 'a' - 'b' }}", "{{ -xs|length }}", "{{ 5.0 // 0.3 }} {{ -0.0 % 3 }}",
    "{{ 9223372036854775807 }} {{ -9223372036854775807 - 1 }}", "{{ 3 * 1.1 }} {{ 1e308 * 10 }}",
    # comparison and logic
    "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ 'B' < 'a' }} {{ 'é' > 'z' }} {{ [1, 2] < [1, 3] }}",
    "{{ (1, 2) == (1, 2) }} {{ [1] == (1,) }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }} {{ 1 != 2 }} {{ none == none }} {{ '1' == 1 }}",
    "{{ 1 < 'a' }}", "{{ none < 1 }}", "{{ [] < {} }}", "{{ 'a' in 'cat' }} {{ 'x' not in 'cat' }} {{ 1 in xs }} {{ 'a' in d }} {{ 2.0 in xs }} {{ '' in '' }}",
    "{{ 1 in 'cat' }}", "{{ 1 in 2 }}", "{{ 0 or 'x' }} {{ 1 and 'y' }} {{ '' and z }} {{ 1 or z }} {{ not '' }} {{ 1 and 0 or 2 }}",
    "{{ 'a' if yes else 'b' }} {{ 'a' if no else 'b' if no else 'c' }}", "{{ 'a' if no }}", "{{ ('a' if no) is defined }}",
    "{{ not 1 == 2 }} {{ not yes in [false] }} {{ 1 if not no else 2 }} {{ (1 < 2) == true }}", "{{ true == 1 }} {{ [true] == [1] }} {{ true is sameas true }} {{ 1 is sameas true }}",
    # access
    "{{ xs[0] }} {{ xs[-1] }} {{ xs.0 }} {{ d.a }} {{ d['b'] }} {{ nested.p.q[0].r }} {{ text[0] }} {{ uni[2] }} {{ uni[-3] }}",
    "{{ xs[5] }}", "{{ xs[5] is defined }}", "{{ d.zzz }}", "{{ d.zzz is defined }} {{ d['zzz'] is undefined }}", "{{ d.zzz.y }}", "{{ nothing }}", "{{ nothing.x }}",
    "{{ nothing is defined }} {{ nothing|default('d') }} {{ nothing is none }} {{ nothing is string }} {{ nothing is mapping }}", "{{ nothing == 1 }}", "{% if nothing %}x{% endif %}", "{{ not nothing }}",
    "{% for x in nothing %}x{% endfor %}", "{{ [nothing] }}", "{{ nothing ~ 'a' }}", "{{ nothing|upper }}", "{{ nothing|length }}", "{{ nothing is iterable }}", "{{ nothing is sequence }}", "{{ nothing() }}",
    "{% set x = nothing %}{{ x is defined }}", "{{ d.items is defined }} {{ d['items'] is defined }} {{ xs.append is callable }}", "{{ 1 .x }}", "{{ none.x is defined }}", "{{ n.x }}",
    "{{ xs['a'] is defined }} {{ text['upper']() }} {{ xs[true] }}", "{{ d[[1]] is defined }}",
    # slices
    "{{ xs[:2] }} {{ xs[1:] }} {{ xs[::-1] }} {{ xs[-2:] }} {{ xs[:-1] }} {{ xs[::2] }} {{ xs[5:] }} {{ xs[-9:9] }} {{ xs[2:0:-1] }}",
    "{{ uni[:6] }}|{{ uni[::-1] }}|{{ uni[3:8:2] }}|{{ text[-5:] }}|{{ text[10:2:-3] }}|{{ text[:] }}|{{ text[none:3] }}", "{{ (1, 2, 3)[1:] }} {{ range(10)[2:8:3] }} {{ range(5)[::-1] }} {{ range(10)[-3] }}",
    "{{ xs[::0] }}", "{{ d[1:] }}", "{{ xs['a':] }}", "{{ 5[1:] }}", "{{ text[99999999999:] }}|{{ text[-99999999999:3] }}",
    # tests
    "{{ 3 is odd }} {{ 4 is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(4) }} {{ 1 is number }} {{ true is number }} {{ 1.0 is float }} {{ 1 is integer }} {{ true is integer }} {{ true is boolean }}",
    "{{ 'a' is string }} {{ d is mapping }} {{ xs is iterable }} {{ 'a' is iterable }} {{ 1 is iterable }} {{ xs is sequence }} {{ d is sequence }} {{ 1 is sequence }} {{ none is none }} {{ 0 is none }}",
    "{{ 1 is not none }} {{ 1 is eq 1 }} {{ 1 is ne(2) }} {{ 1 is lt 2 }} {{ 2 is gt 1 }} {{ 2 is ge 2 }} {{ 1 is le 0 }} {{ 'a' is in ['a'] }} {{ 'b' is not in 'abc' }} {{ 1 is equalto 1.0 }}",
    "{{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 'aB' is lower }} {{ '1' is lower }} {{ true is true }} {{ 1 is true }} {{ false is false }} {{ 'x' is callable }}", "{{ 1 is foo }}", "{{ 'a' is odd }}", "{{ 1 is divisibleby }}",
    "{{ xs is not defined or yes }} {{ n is defined and n is number }} {{ 3 is odd and 4 is even }} {{ 1 is odd is even }}", "{{ 'a' is sameas 'a' }} {{ none is sameas none }} {{ xs is sameas xs }} {{ [1] is sameas [1] }}",
    "{{ (xs|map('string')) is iterable }} {{ range(3) is sequence }} {{ d.keys() is sequence }} {{ 'a' is not string }} {{ 3.0 is odd }} {{ -3 is odd }}",
    # filters
    "{{ text|upper }} {{ text|lower }} {{ name|title }} {{ name|capitalize }} {{ 'aB-cD eF(gH' |title }} {{ 'ßﬁ'|upper }} {{ 'ǆ'|capitalize }} {{ 5|upper }} {{ none|lower }}",
    "[{{ pad|trim }}] [{{ 'xxaxx'|trim('x') }}] [{{ ' \u00a0\u3000a\u2003'|trim }}] [{{ 12|trim }}]", "{{ text|length }} {{ uni|length }} {{ xs|count }} {{ d|length }} {{ 5|length }}",
    "{{ xs|join }} {{ xs|join(', ') }} {{ words|join('-')|upper }} {{ people|join(',', attribute='name') }} {{ 'abc'|join('.') }} {{ d|join('+') }} {{ [none, true, 1.5]|join(' ') }} {{ [1]|join(d='x') }}",
    "{{ '42'|int }} {{ '4.7'|int }} {{ 'x'|int }} {{ 'x'|int(9) }} {{ ' 12 '|int }} {{ '0x1f'|int(0, 16) }} {{ 'ff'|int(base=16) }} {{ 3.9|int }} {{ -3.9|int }} {{ none|int }} {{ true|int }} {{ [1]|int(5) }} {{ '1_000'|int }} {{ '1__0'|int }} {{ '1e3'|int }} {{ '-'|int }} {{ 'nan'|int }} {{ 'inf'|int(7) }}",
    "{{ '2.5'|float }} {{ 'x'|float }} {{ 'x'|float(1) }} {{ 3|float }} {{ '1e3'|float }} {{ ' .5 '|float }} {{ '5.'|float }} {{ 'inf'|float }} {{ '0x10'|float }} {{ none|float(-1.0) }} {{ '1_0.0'|float }} {{ 'Infinity'|float }} {{ '-nan'|float }}",
    "{{ 'abc'|list }} {{ d|list }} {{ (1, 2)|list }} {{ range(3)|list }} {{ d.items()|list }} {{ 5|list }}", "{{ 'aXbX'|replace('X', '-') }} {{ 'aXbX'|replace('X', '-', 1) }} {{ 121|replace(1, 'x') }} {{ 'abc'|replace('', '.') }} {{ 'aaa'|replace('aa', 'b') }}",
    "{{ xs|first }} {{ xs|last }} {{ 'abc'|first }} {{ d|first }} {{ d|last }}", "{{ []|first }}", "{{ [] | last | default('none') }}", "{{ xs|sort }} {{ xs|sort(reverse=true) }} {{ words|sort }} {{ words|sort(case_sensitive=true) }} {{ people|sort(attribute='age')|map(attribute='name')|list }} {{ people|sort(attribute='age,name', reverse=true)|map(attribute='name')|join }} {{ 'hello'|sort|join }} {{ d|sort }}",
    "{{ [1, 'a']|sort }}", "{{ [none, none]|sort }}", "{{ words|unique|list }} {{ [1, 1.0, true, 2]|unique|list }} {{ people|unique(attribute='age')|map(attribute='name')|list }} {{ words|unique(true)|join }}", "{{ [[1], [1]]|unique|list }}",
    "{{ xs|reverse|list }} {{ 'abc'|reverse }} {{ d|reverse|list }} {{ xs|map('string')|reverse|list }}", "{{ -5|abs }} {{ (-5)|abs }} {{ (-2.5)|abs }} {{ true|abs }}", "{{ 'a'|abs }}",
    "{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 1234.5678|round(-2) }} {{ 1250|round(-2) }} {{ 5|round }} {{ 42.55|round(1, 'floor') }} {{ 42.51|round(1, 'ceil') }} {{ -0.4|round }} {{ 15|round(-1) }} {{ 25|round(-1) }} {{ 1.1|round(20) }} {{ true|round }}",
    "{{ 'a'|round }}", "{{ 1.5|round(0, 'up') }}", "{{ xs|sum }} {{ people|sum(attribute='age') }} {{ xs|sum(start=10) }} {{ [0.1, 0.2, 0.3]|sum }} {{ []|sum }} {{ [[1], [2]]|sum(start=[]) }}", "{{ ['a']|sum }}",
    "{{ xs|min }} {{ xs|max }} {{ words|min }} {{ words|max }} {{ words|max(case_sensitive=true) }} {{ (people|max(attribute='age')).name }} {{ 'hello'|max }}", "{{ []|min }}", "{{ []|min is defined }}",
    "{{ d|dictsort }} {{ d|dictsort(true) }} {{ {'b': 1, 'a': 2}|dictsort(by='value', reverse=true) }} {{ {'b': 1, 'a': 2}|dictsort(false, 'value') }}", "{{ d|dictsort(by='x') }}", "{{ d|items|list }} {{ nothing|items|list }}", "{{ 5|items|list }}",
    "{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb'|indent(2, true) }}|{{ 'a\n\nb'|indent(2, blank=true) }}|{{ 'a\nb'|indent('> ') }}|{{ ''|indent }}|{{ 'a\n'|indent }}|{{ 'a\nb'|indent(first=true, width=1) }}",
    "{{ 'one two, three-four it\\'s'|wordcount }} {{ ''|wordcount }} {{ uni|wordcount }}", "{{ nothing|d('x') }} {{ ''|default('x') }} {{ ''|default('x', true) }} {{ none|d('x') }} {{ none|d('x', boolean=true) }} {{ d.zz|d }}|{{ 0|default(1, true) }}",
    "{{ xs|map('string')|join }} {{ people|map(attribute='name')|list }} {{ people|map(attribute='tags.0', default='-')|list }} {{ words|map('upper')|list }} {{ ['a1', 'b1']|map('replace', '1', '2')|list }} {{ [[1, 2], [3]]|map('length')|list }} {{ [[1, 2], [3]]|map('first')|list }} {{ words|map('default', 'x')|list }}",
    "{{ people|map(attribute='zip')|list }}", "{{ people|map(attribute='zip')|join }}", "{{ xs|map|list }}", "{{ xs|map('nofilter')|list }}", "{{ people|map(attribute='name', foo=1)|list }}",
    "{{ xs|select('odd')|list }} {{ xs|reject('odd')|list }} {{ [0, 1, '', 'a']|select|list }} {{ [0, 1, '']|reject|list }} {{ xs|select('gt', 1)|list }} {{ xs|select('>', 1)|list }} {{ words|select('in', ['fig'])|list }} {{ xs|select('divisibleby', 2)|first }} {{ xs|select('==', 2)|list }}",
    "{{ people|selectattr('age', 'eq', 31)|map(attribute='name')|list }} {{ people|rejectattr('age', 'equalto', 31)|map(attribute='name')|list }} {{ people|selectattr('tags')|list|length }} {{ people|selectattr('zip', 'defined')|list }} {{ people|rejectattr('tags')|map(attribute='name')|join }}",
    "{{ xs|select('nope')|list }}", "{{ people|selectattr|list }}", "{{ people|selectattr('zip')|list }}", "{{ xs|map('string')|length }}", "{{ (xs|map('string'))[0] }}", "{% set g = xs|map('string') %}{{ g|join }}|{{ g|join }}",
    "{{ d|tojson }} {{ mixed|tojson }} {{ uni|tojson }} {{ quote|tojson }} {{ [1.0, 1e30, none, true]|tojson }} {{ '<&>'|tojson }} {{ (1, 2)|tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }} {{ '\\x00\\x1f\\x7f\\t'|tojson }}",
    "{{ d|tojson(indent=2) }} {{ []|tojson(indent=2) }} {{ {}|tojson(indent=4) }} {{ nested|tojson(indent=1) }} {{ d|tojson(separators=(',', ':')) }} {{ d|tojson(sort_keys=true) }} {{ uni|tojson(ensure_ascii=true) }} {{ xs|tojson(indent=0) }}", "{{ nothing|tojson }}", "{{ range(3)|tojson }}",
    "{{ '%s is %d and %.2f'|format('x', 3, 2.0) }} {{ '%05d|%-5s|%5s|%+d|%x|%X|%o|%e|%g|%%'|format(42, 'a', 'b', 7, 255, 255, 8, 1234.5, 0.0001) }} {{ '%(a)s %(b)r'|format(a=1, b='x') }} {{ '%s' % 5 }} {{ '%s-%s' % (1, 2) }} {{ '%.3s|%c'|format('abcdef') if no else '' }}", "{{ '%d' % 'a' }}", "{{ '%s %s' % 1 }}", "{{ 'x' % 1 }}", "{{ '%d' % 3.7 }} {{ '%s' % [1] }} {{ '%(a)s' % d }} {{ '%.1f' % 0.25 }} {{ '%r' % 'a' }}",
    "{{ text|safe }} {{ d|attr('get')('a') }} {{ text|string|length }} {{ 1|string + 'x' }} {{ [1]|string }}", "{{ text|nofilter }}", "{{ text|upper(1) }}", "{{ text|replace('a') }}", "{{ text|trim(chars='H', foo=1) }}",
    # methods
    "{{ pad.strip() }}|{{ pad.lstrip() }}|{{ pad.rstrip() }}|{{ 'xyaxy'.strip('xy') }}|{{ 'éaé'.strip('é') }}|{{ 'xxa'.lstrip('x') }}|{{ 'axx'.rstrip('x') }}|{{ 'a'.strip(none) }}",
    "{{ text.index('o') }} {{ text.find('o', 5) }} {{ text.find('zz') }} {{ uni.find('日') }} {{ uni.index('é') }} {{ text.rfind('o') }} {{ text.find('', 3) }} {{ 'abc'.find('', 5) }} {{ 'abc'.find('c', -1) }} {{ 'abcabc'.find('a', 1, 3) }} {{ text.rindex('o', 0, 6) }}", "{{ text.index('zz') }}",
    "{{ csv.split(',') }} {{ csv.split(',', 1) }} {{ csv.rsplit(',', 1) }} {{ pad.split() }} {{ 'a b  c'.split(none, 1) }} {{ ' a b  c '.rsplit(none, 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'aXXbXXc'.split('XX') }} {{ 'a,b'.split(sep=',', maxsplit=0) }} {{ csv.rsplit(',') }} {{ 'abc'.split('')|list if no else '' }}", "{{ 'a'.split('') }}",
    "{{ lines.splitlines() }} {{ lines.splitlines(true) }} {{ 'a\\x0bb\\x85c\\u2028d'.splitlines() }} {{ ''.splitlines() }} {{ '\\n'.splitlines() }}", "{{ ', '.join(words) }} {{ ''.join('abc') }} {{ '-'.join(d) }}", "{{ ','.join(xs) }}",
    "{{ text.replace('o', '0') }} {{ text.replace('o', '0', 1) }} {{ 'aaa'.replace('', '-', 2) }} {{ text.lower() }} {{ text.upper() }} {{ \"they're bill's\".title() }} {{ 'hELLO wORLD'.capitalize() }} {{ 'ǆ x'.title() }} {{ 'a1b c_d'.title() }}",
    "{{ text.startswith('He') }} {{ text.endswith('ld') }} {{ text.startswith(('x', 'H')) }} {{ text.startswith('lo', 3) }} {{ text.endswith('', 99) }} {{ text.endswith('o', 0, 5) }} {{ text.startswith('') }}", "{{ text.startswith(1) }}", "{{ text.count('o') }} {{ text.count('') }} {{ 'aaaa'.count('aa') }} {{ 'abcabc'.count('a', 1) }} {{ xs.count(1) }} {{ (1, 1).count(1) }}",
    "{{ '{} and {}'.format(1, 'b') }} {{ '{1} {0} {x}'.format('a', 'b', x=3) }} {{ '{{}} {}'.format(none) }} {{ '{a}'.format(a=[1]) }}", "{{ '{}'.format() }}", "{{ '{'.format(1) }}", "{{ '}'.format(1) }}", "{{ '{x}'.format(1) }}",
    "{{ d.items() }} {{ d.keys() }} {{ d.values() }} {{ d.get('a') }} {{ d.get('z') }} {{ d.get('z', 5) }} {{ d.items()|list }} {{ d.keys()|list }} {{ 'a' in d.keys() }} {{ d.values()|list }} {{ d.items()|length }}",
    "{% set l = [1] %}{% set _ = l.append(2) %}{{ l }}{{ l.append(3) }}{{ l.pop() }}{{ l.insert(0, 'x') }}{{ l }}{{ l.index(2) }}{{ l.extend([7, 8]) }}{{ l.pop(0) }}{{ l.copy() }}", "{{ [].pop() }}", "{{ xs.index(99) }}", "{{ xs.foo() }}", "{{ text.foo() }}",
    "{% set m = {'a': 1} %}{{ m.update({'b': 2}, ) }}{{ m.update(c=3) }}{{ m }}{{ m.pop('a') }}{{ m.pop('zz', 0) }}{{ m.setdefault('q', []) }}{{ m.setdefault('b') }}{{ m.copy() }}", "{{ {}.pop('a') }}",
    "{{ 'a-b-c'.partition('-') }} {{ 'a-b-c'.rpartition('-') }} {{ 'abc'.partition('-') }} {{ 'abc'.rpartition('-') }} {{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.txt'.removesuffix('.txt') }} {{ '42'.zfill(5) }} {{ '-4'.zfill(4) }} {{ '12'.isdigit() }} {{ ' '.isspace() }} {{ 'ab'.islower() }} {{ 'AB'.isupper() }} {{ ''.isdigit() }}",
    # for
    "{% for x in xs %}{{ x }},{% endfor %}", "{% for x in [] %}x{% else %}none{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}", "{% for c in 'añb' %}[{{ c }}]{% endfor %}",
    "{% for x in xs %}{{ loop.index }}/{{ loop.length }} {{ loop.index0 }} {{ loop.first }} {{ loop.last }} {{ loop.revindex }} {{ loop.revindex0 }} {{ loop.previtem|default('-') }} {{ loop.nextitem|default('-') }} {{ loop.cycle('a', 'b') }} {{ loop.changed(x > 1) }} {{ loop.depth }} {{ loop.depth0 }}\n{% endfor %}",
    "{% for x in xs if x > 1 %}{{ loop.index }}:{{ x }} {% endfor %}", "{% for x in xs if x > 9 %}a{% else %}b{% endfor %}", "{% for a, b in [(1, 2), [3, 4]] %}{{ a + b }} {% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a, b in [1] %}x{% endfor %}", "{% for a, b in [(1, 2, 3)] %}x{% endfor %}",
    "{% for x in xs %}{% for y in xs %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}", "{% for x in xs %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in xs %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in xs %}{% for y in xs %}{% if y == 1 %}{% break %}{% endif %}{{ y }}{% endfor %}|{% endfor %}",
    "{% for x in range(3) %}{{ x }}{% endfor %}{% for x in range(5, 0, -2) %}{{ x }}{% endfor %}{{ range(3) }}{{ range(1, 9, 3) }}{{ range(3)|list }}", "{{ range(0, 5, 0) }}", "{{ range('a') }}", "{% for x in 5 %}{% endfor %}", "{% for x in 1, 2, 3 %}{{ x }}{% endfor %}", "{% for x in (xs if yes else []) %}{{ x }}{% endfor %}",
    "{% set x = 1 %}{% for i in xs %}{{ x }}{% set x = 5 %}{{ x }} {% endfor %}{{ x }}", "{% for x in xs %}{% endfor %}{{ x }}", "{% for x in xs %}{% else %}{{ x }}{% endfor %}", "{{ loop }}", "{% for x in xs %}{% if loop.last %}{{ x }}{% endif %}{% endfor %}", "{% for p in people|sort(attribute='name') %}{{ p.name }}:{{ p.tags|join('/') }} {% endfor %}",
    "{% for x in xs %}{% set y = x %}{% endfor %}{{ y is defined }}", "{% for i in range(2) %}{% for j in range(2) if j != i %}{{ i }}{{ j }} {% endfor %}{% endfor %}", "{% for x in xs|map('string') %}{{ loop.length }}{{ loop.last }} {% endfor %}",
    # set, with, namespace, macro, filter
    "{% set a = 1 %}{% set b, c = 2, 3 %}{{ a }}{{ b }}{{ c }}", "{% set a %}x{{ n }}y{% endset %}{{ a|upper }}", "{% set a | upper | replace('X', '-') %}x{{ text }}{% endset %}{{ a }}", "{% if yes %}{% set z = 1 %}{% endif %}{{ z }}", "{% if no %}{% set z = 1 %}{% endif %}{{ z is defined }}", "{% set a, b = 1 %}", "{% set 1 = 2 %}", "{% set t = 1, 2 %}{{ t }}",
    "{% set ns = namespace(total=0, names=[]) %}{% for x in xs %}{% set ns.total = ns.total + x %}{% set _ = ns.names.append(x) %}{% endfor %}{{ ns.total }} {{ ns.names }}", "{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}{{ ns.b is defined }}", "{% set ns = namespace({'x': 1}, y=2) %}{{ ns.x + ns.y }}", "{% set d.a = 1 %}", "{% set ns = namespace(found=false) %}{% for x in xs %}{% if x == 1 %}{% set ns.found = true %}{% endif %}{% endfor %}{{ ns.found }} {{ ns }}",
    "{% with a = 1, b = n %}{{ a }}{{ b }}{% set c = 3 %}{{ c }}{% endwith %}{{ a is defined }}{{ c is defined }}", "{% with %}{% set q = 1 %}{{ q }}{% endwith %}", "{% set a = 5 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% filter upper %}abc{{ name }}{% endfilter %}", "{% filter replace('a', 'b')|upper %}banana{% endfilter %}",
    "{% macro m(a, b='x', c=none) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 2) }} {{ m(1, c=3) }} {{ m(b=5, a=4) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m() }}", "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=1) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, a=1) }}",
    "{% macro m(n) %}{% if n > 0 %}{{ n }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(5) }}", "{% set x = 1 %}{% macro m() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ m() }}", "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m() %}{{ q }}{% endmacro %}{% set q = 9 %}{{ m() }}", "{% macro m() -%} x {%- endmacro %}[{{ m() }}]{{ m()|upper }}", "{{ dict(a=1, b=2) }} {{ dict({'x': 1}, y=2) }} {{ dict([('k', 'v')]) }} {{ dict() }}",
    "{% for x in xs %}{% set s %}{{ x }}{{ loop.index }}{% endset %}{{ s }};{% endfor %}", "{% if n > 5 %}big{% elif n > 2 %}mid{% else %}small{% endif %}", "{% if no %}a{% elif no %}b{% elif yes %}c{% else %}d{% endif %}", "{% if xs and d %}x{% endif %}{% if not none_list %}y{% endif %}", "{% if n == 7 and text[0] == 'H' or no %}ok{% endif %}", "{{ raise_exception('bad ' ~ n) }}",
    # errors of syntax
    "{{ }}", "{{ 1 + }}", "{{ (1 }}", "{{ 1) }}", "{{ [1, }}", "{% if %}x{% endif %}", "{% if yes %}", "{% endif %}", "{% for x in xs %}", "{% for in xs %}{% endfor %}", "{% else %}", "{% foo %}", "{{ 'abc }}", "{{ a b }}", "{# open", "{% raw %}x", "{{ 1", "{% if yes %}{% endfor %}", "{% for x in xs %}{% endif %}", "{{ x | }}", "{{ x is }}", "{{ $ }}", "{{ 1 = 2 }}", "{{ f(a=1, 2) }}", "{% set %}", "{{ {1} }}", "{{ a..b }}", "{{ 'a' 1 }}", "{% macro (a) %}{% endmacro %}", "{% break %}", "{{ x[] }}", "{{ ] }}", "{{ {'a' 1} }}", "{{ not }}", "{% set x = %}", "{{ a.'b' }}", "{{ '\\u12' }}", "{{ '\\xZZ' }}",
]

PROMPTS = [
    "Review: {{ query.text }}\nSentiment:", "{% for demo in demos %}Review: {{ demo.text }}\nSentiment: {{ labels[demo.label] }}\n\n{% endfor %}Review: {{ query.text }}\nSentiment:",
    "{{ query.text.strip() }} Question: Is this {{ labels|join(' or ') }}? |||", "{{task|capitalize}}: {%- for l in labels %} {{ loop.index }}) {{ l }}{{ ';' if not loop.last }}{% endfor %}",
    "{{ labels.index('positive') }} {{ [labels[0]]|string }} {{ query['text'].split(' ')[-1] }}", "{{ demos|map(attribute='text')|join(' / ') }}", "{% set n = demos|length %}{{ n }} demonstration{{ 's' if n != 1 else '' }}", "{{ demo.text }}", "{{ query.txt }}",
    "{{ labels[query.label|default(1)] }}", "{{ 'ABCD'[demos[0].label] }}. {{ query.text|replace('fine', '___') }}", "{{ (query.text ~ '.').capitalize() }}{{ ' ' ~ labels[1:]|first }}",
]

CHATML = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
LLAMA3 = "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
ZEPHYR = "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
GEMMA = "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
LLAMA2 = "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
QWEN = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}{{- tools | tojson }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(last_user=-1) %}
{%- for message in messages[::-1] %}
    {%- if ns.last_user < 0 and message.role == 'user' %}
        {%- set ns.last_user = messages|length - 1 - loop.index0 %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
{{ ns.last_user }}"""
CHATS = [CHATML, LLAMA3, ZEPHYR, GEMMA, LLAMA2, QWEN]
CHAT_WRITTEN = [
    "{% if tools %}x{% endif %}[{{ nothing }}]{{ nothing ~ 'a' }}{{ nothing == none }}{{ not nothing }}{{ nothing|length }}", "{{ nothing.x }}", "{% for x in nothing %}x{% else %}none{% endfor %}", "{{ [nothing] }}{{ nothing|default(1) }}{{ nothing + 1 }}", "  {% if true %}\n    a\n  {% endif %}\n  b {% if true %}c{% endif %}\n", "{% raw %}\n x\n  {% endraw %}\ny", "  {# c #}\n{{ 1 }}\n  {%+ if true %}x{% endif +%}\ny",
    "{% set x = 1 -%}\n\n{{ x }}", "\n{% set x = 1 %}\n\n{{ x }}\n", "\t{%- if true -%}\t a \t{%- endif -%}\t", "{{ messages[9].role }}", "{{ messages[9] }}|", "{{ nothing is iterable }}{{ nothing is sequence }}{{ nothing|upper }}|{{ nothing|trim }}|{{ nothing|string }}|{{ nothing|join }}|{{ nothing|list }}|{{ nothing|first }}",
]


class Grammar:
    """Random templates, mostly well-typed, with a little of everything else."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, *options):
        return self.r.choice(options)

    def string(self, depth):
        if depth <= 0 or self.r.random() < 0.2:
            return self.pick("text", "name", "empty", "pad", "uni", "quote", "csv", "lines", "'a'", "'Ab c'", "'x,y'", "''",
                             "'é日'", "words[0]", "d.b", "people[1].name", "labels")
        s, i = self.string(depth - 1), self.integer(depth - 2)
        return self.pick(
            f"({s}).strip()", f"({s}).upper()", f"{s}|lower", f"{s}|title", f"({s}).title()", f"{s}|capitalize", f"{s}|trim",
            f"({s})[{i}]", f"({s})[{i}:]", f"({s})[:{i}]", f"({s})[::{self.pick('-1', '2', '-2', i)}]", f"({s})[{i}:{self.integer(0)}]",
            f"({s} ~ {self.anything(depth - 1)})", f"({s} + {self.string(depth - 1)})", f"({s}).replace({self.string(0)}, '-')",
            f"{s}|replace('a', {self.string(0)})", f"({s} * {self.pick('2', '0', i)})", f"{self.listing(depth - 1)}|join({self.pick(chr(39) + ', ' + chr(39), s)})",
            f"{self.anything(depth - 1)}|string", f"({s}).rstrip('d n')", f"{s}|reverse", f"{s}|indent({self.pick('2', chr(39) + '>' + chr(39))})",
            f"{self.anything(depth - 1)}|tojson", f"('%s:%s' % ({s}, {i}))", f"'{{}}/{{}}'.format({s}, {i})", f"({s} if {self.boolean(depth - 1)} else {self.string(0)})",
            f"{self.anything(depth - 1)}|default('dd', true)", f"({s}).lstrip('H a')", f"{s}|trim('aH ')", f"({s} or 'nn')", f"({s} and 'mm')", f"({s}).zfill(6)", f"({s}).removeprefix('H')")

    def integer(self, depth):
        if depth <= 0 or self.r.random() < 0.3:
            return self.pick("n", "zero", "neg", "1", "2", "-1", "3", "10", "xs[0]", "d.a", "0", "-2", "big", "people[0].age")
        a, b = self.integer(depth - 1), self.integer(depth - 1)
        return self.pick(
            f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"({a} // {b})", f"({a} % {b})", f"-{a}", f"{a}|abs", f"{self.string(depth - 1)}|length",
            f"{self.listing(depth - 1)}|length", f"({self.string(depth - 1)}).find({self.string(0)})", f"{self.string(depth - 1)}|int", f"{self.number(depth - 1)}|int",
            f"({self.string(depth - 1)}).count({self.string(0)})", f"{self.listing(depth - 1)}|sum", f"{self.listing(depth - 1)}|max", f"({self.listing(depth - 1)}).index({a})", f"({a} ** {self.pick('2', '0', '3')})",
            f"{self.string(depth - 1)}|wordcount", f"{a}|round", f"({a} if {self.boolean(depth - 1)} else {b})", f"{a}|round(-1)")

    def number(self, depth):
        if depth <= 0 or self.r.random() < 0.3:
            return self.pick("f", "tiny", "1.5", "0.1", "-2.25", "1e10", "3.0", "1e300", "100.0", "2.675")
        a, b = self.pick(self.number, self.integer)(depth - 1), self.number(depth - 1)
        return self.pick(f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"({a} / {b})", f"({a} // {b})", f"({a} % {b})", f"({self.integer(0)} / {self.integer(0)})",
                         f"{a}|float", f"{b}|round({self.pick('1', '2', '0', '-1', '3')})", f"{b}|abs", f"-{b}", f"{self.string(depth - 1)}|float", f"({b} ** {self.pick('2', '0.5', '-1')})", f"{b}|round(1, {self.pick(chr(39) + 'ceil' + chr(39), chr(39) + 'floor' + chr(39))})")

    def boolean(self, depth):
        if depth <= 0 or self.r.random() < 0.2:
            return self.pick("yes", "no", "true", "false", "nil is none", "undefd is defined", "xs", "empty", "none_list")
        a, b = self.anything(depth - 1), self.anything(depth - 1)
        test = self.pick("defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "iterable", "sequence", "true", "false", "lower", "upper", "callable")
        return self.pick(
            f"({a} == {b})", f"({a} != {b})", f"({self.integer(depth - 1)} {self.pick('<', '<=', '>', '>=')} {self.number(depth - 1)})", f"({self.string(depth - 1)} {self.pick('<', '>=')} {self.string(depth - 1)})",
            f"({self.string(depth - 1)} in {self.string(depth - 1)})", f"({a} in {self.listing(depth - 1)})", f"({a} not in {self.listing(depth - 1)})", f"({a} is {test})", f"({a} is not {test})",
            f"({self.integer(depth - 1)} is {self.pick('odd', 'even')})", f"({self.integer(depth - 1)} is divisibleby {self.pick('2', '3', '0')})", f"not {a}", f"({self.boolean(depth - 1)} and {self.boolean(depth - 1)})",
            f"({self.boolean(depth - 1)} or {self.boolean(depth - 1)})", f"({self.string(depth - 1)}).startswith({self.string(0)})", f"({self.string(depth - 1)}).endswith({self.string(0)})", f"({self.integer(0)} < {self.integer(0)} <= {self.integer(0)})",
            f"({self.listing(depth - 1)} {self.pick('<', '>', '==')} {self.listing(depth - 1)})", f"({a} is {self.pick('eq', 'ne', 'in')}({b}))", f"({a} is sameas {self.pick('true', 'none', 'xs')})", f"({a} {self.pick('<', '>=')} {b})")

    def listing(self, depth):
        if depth <= 0 or self.r.random() < 0.25:
            return self.pick("xs", "words", "mixed", "none_list", "[1, 2, 3]", "['b', 'a']", "(1, 'x')", "people", "d", "range(4)", "text", "[]", "[1.5, 2, true]")
        s = self.listing(depth - 1)
        return self.pick(
            f"({s})[{self.integer(0)}:]", f"({s})[::-1]", f"({s} + {self.listing(depth - 1)})", f"{s}|list", f"{s}|sort", f"{s}|sort(reverse=true)", f"{s}|unique|list", f"{s}|reverse|list", f"{s}|map('string')|list", f"{s}|map('upper')|list",
            f"{s}|select('{self.pick('string', 'number', 'odd', 'defined', 'none', 'sequence')}')|list", f"{s}|reject('{self.pick('string', 'mapping', 'boolean')}')|list", f"{s}|select|list", "people|map(attribute='name')|list", "people|selectattr('age', 'gt', 30)|list",
            f"({self.string(depth - 1)}).split({self.pick('', chr(39) + ',' + chr(39), chr(39) + 'o' + chr(39), self.string(0))})", f"({self.string(depth - 1)}).splitlines()", f"[{self.anything(depth - 1)}, {self.anything(depth - 1)}]", f"({self.anything(depth - 1)}, )", f"({s} * 2)", f"{self.string(depth - 1)}|list",
            f"({self.mapping(depth - 1)}).items()|list", f"{self.mapping(depth - 1)}|dictsort", f"({self.string(depth - 1)}).rsplit(',', 1)", f"({self.string(depth - 1)}).partition('o')", f"people|sort(attribute='{self.pick('age', 'name', 'age,name')}')", f"{self.mapping(depth - 1)}|list", f"range({self.pick('n', '0', 'neg', 'd.a', '2')}, {self.pick('3', '12', '-4')}, {self.pick('1', '2', '-1')})")

    def mapping(self, depth):
        if depth <= 0 or self.r.random() < 0.4:
            return self.pick("d", "nested", "{}", "{'k': 1}", "people[0]", "dict(a=1, b='z')", "{1: 'x', 'y': none}")
        return self.pick(f"{{{self.string(0)}: {self.anything(depth - 1)}}}", f"dict(q={self.anything(depth - 1)})", "nested.p", "nested.p.q[0]", f"{{'a': {self.anything(depth - 1)}, 'b': {self.anything(0)}}}")

    def anything(self, depth):
        kind = self.pick(self.string, self.string, self.integer, self.number, self.boolean, self.listing, self.mapping)
        if self.r.random() < 0.04:
            return self.pick("undefd", "nil", "d.zz", "xs[9]", "nested.p.zz")
        if depth > 0 and self.r.random() < 0.12:
            return self.pick(f"{self.listing(depth - 1)}|first", f"{self.listing(depth - 1)}|last", f"{self.listing(depth - 1)}|min", f"({self.mapping(depth - 1)}).get({self.string(0)})", f"({self.mapping(depth - 1)}).get('a', {self.anything(0)})", f"({self.listing(depth - 1)})[{self.integer(0)}]", f"({self.mapping(depth - 1)})[{self.string(0)}]", f"({self.mapping(depth - 1)}).a")
        return kind(depth)

    def text(self):
        return self.pick("", " ", "\n", "a", " b ", "\n  ", "c\n", "é\t", "  \n\n", "{", "}", "%", "#", "\r\n")

    def signs(self):
        return self.pick("", "", "", "-", "-", "+"), self.pick("", "", "", "-", "-")

    def tag(self, body):
        left, right = self.signs()
        return "{%" + left + " " + body + " " + (right or self.pick("", "", "+")) + "%}"

    def output(self, depth):
        left, right = self.signs()
        return "{{" + left + " " + self.anything(depth) + " " + right + "}}"

    def statement(self, depth):
        inner = lambda: self.template(depth - 1)
        tag = self.tag
        if depth <= 0 or self.r.random() < 0.45:
            return self.output(self.r.randint(0, 3))
        return self.pick(
            lambda: tag("if " + self.boolean(2)) + inner() + tag("endif"),
            lambda: tag("if " + self.boolean(1)) + inner() + tag("elif " + self.boolean(1)) + inner() + tag("else") + inner() + tag("endif"),
            lambda: tag("for x in " + self.listing(2)) + inner() + self.pick("{{ loop.index }}", "{{ x }}", "{{ loop.last }}{{ loop.revindex0 }}", "{{ loop.previtem is defined }}") + tag("endfor"),
            lambda: tag("for k, v in (" + self.mapping(2) + ").items()") + inner() + "{{ k }}={{ v }}" + tag("else") + inner() + tag("endfor"),
            lambda: tag("for x in " + self.listing(1) + " if x is " + self.pick("string", "number", "defined", "mapping")) + "{{ x }}" + self.pick("", tag("break"), tag("if loop.index > 1") + tag("continue") + tag("endif")) + inner() + tag("endfor"),
            lambda: tag("set v = " + self.anything(2)) + inner() + "{{ v }}",
            lambda: tag("set v") + inner() + tag("endset") + "[{{ v }}]{{ v|length }}",
            lambda: tag("macro m(a, b=" + self.anything(0) + ")") + inner() + "{{ a }}{{ b }}" + tag("endmacro") + "{{ m(" + self.anything(1) + ") }}{{ m(1, b=2) }}",
            lambda: tag("filter " + self.pick("upper", "trim", "replace('a', 'b')", "title", "length")) + inner() + tag("endfilter"),
            lambda: tag("with w = " + self.anything(1)) + inner() + "{{ w }}" + tag("endwith"),
            lambda: tag("raw") + self.pick("{{ x }}", " {% y %} ", "\n") + tag("endraw"),
            lambda: self.pick("{# c #}", "{#- c -#}", " {# {{ #}\n", "{#+ c +#}"),
            lambda: tag("set ns = namespace(c=0)") + tag("for i in " + self.listing(1)) + tag("set ns.c = ns.c + loop.index") + tag("endfor") + "{{ ns.c }}" + inner(),
        )()

    def template(self, depth):
        parts = []
        for _ in range(self.r.randint(1, 3)):
            parts += [self.text(), self.statement(depth)]
        return "".join(parts) + self.text()


def hf_tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    """What transformers installs in place of Jinja's own filter, which escapes for HTML."""
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def environment(chat, kind=jinja2.Environment):
    env = kind(undefined=jinja2.Undefined if chat else jinja2.StrictUndefined, keep_trailing_newline=True,
                             trim_blocks=chat, lstrip_blocks=chat, extensions=["jinja2.ext.loopcontrols"])
    env.filters["tojson"] = hf_tojson
    env.filters["safe"] = env.filters["string"]
    env.globals = {"range": range, "dict": dict, "namespace": env.globals["namespace"], "raise_exception": raise_exception}
    return env


class LongInteger(Exception):
    """An integer of more than 64 bits or a complex number came up: ours is an error by choice, so there is no case."""


def bounded(value):
    if isinstance(value, complex) or isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise LongInteger
    return value


class BoundedEnvironment(jinja2.sandbox.SandboxedEnvironment):
    """Finds long integers on the way to a result."""

    intercepted_binops = frozenset(["+", "-", "*", "//", "%", "**"])

    def call_binop(self, context, operator, left, right):
        return bounded(super().call_binop(context, operator, left, right))

    def is_safe_attribute(self, obj, attr, value):
        return True


def meets_long_integers(source, context, chat):
    env = environment(chat, BoundedEnvironment)
    for name in ("int", "sum", "round"):
        env.filters[name] = lambda *args, call=env.filters[name], **kwargs: bounded(call(*args, **kwargs))
    env.filters["sum"] = lambda value, attribute=None, start=0: functools.reduce(lambda a, b: bounded(a + b), value, start)
    try:
        env.from_string(source).render(json.loads(json.dumps(CONTEXTS[context])))
    except LongInteger:
        return True
    except Exception:
        return False
    return False


ENVIRONMENTS = {False: environment(False), True: environment(True)}
# Only in outputs of a difference by choice: addresses of objects, and integers of more than 64 bits.
UNCOMPARED = re.compile(r"<(generator|built-in|bound|function|Macro|list_reverse|dict_\w*iter|reversed|range_it|filter|map|Loop|class|method|str_iter|tuple_it|list_it|str_asc)|(?i:<\w+ object at )|\d+[+-][\de.]+j\)")
LONG = re.compile(r"-?\d{19,}")


def is_comparable(text):
    return not UNCOMPARED.search(text) and all(-(2**63) <= int(m) < 2**63 for m in LONG.findall(text))


def case(source, context, chat):
    env = ENVIRONMENTS[chat]
    row = {"source": source, "context": context}
    if chat:
        row["chat"] = True
    try:
        row["out"] = env.from_string(source).render(json.loads(json.dumps(CONTEXTS[context])))
        row["out"].encode()
    except UnicodeEncodeError:
        return None
    except Exception:  # whatever Python raises is an error of the template here
        row["error"] = True
    if source.endswith("{#") or meets_long_integers(source, context, chat):
        return None  # Jinja takes an open comment at the very end for nothing; ours is an error
    return row if is_comparable(row.get("out", "")) else None


def names_of(source):
    env = ENVIRONMENTS[False]
    return sorted(meta.find_undeclared_variables(env.parse(source)) - set(env.globals))


def main():
    warnings.simplefilter("ignore")  # Python comments on the odd sums that it compiles
    options = argparse.ArgumentParser()
    options.add_argument("--random", type=int, default=420)
    options.add_argument("--seed", type=int, default=20261121)
    options.add_argument("--only-random", action="store_true")
    options = options.parse_args()
    rows = []
    if not options.only_random:
        rows += [case(source, "main", False) for source in WRITTEN]
        rows += [case(source, "demo", False) for source in PROMPTS]
        rows += [case(source, talk, True) for source in CHATS for talk in ("talk", "plain_talk", "bad_talk")]
        rows += [case(source, "talk", True) for source in CHAT_WRITTEN]
        assert all(rows), [WRITTEN[i] for i, row in enumerate(rows) if row is None]
    grammar = Grammar(options.seed)
    errors, wanted = 0, len(rows) + options.random
    while len(rows) < wanted:
        row = case(grammar.template(2) if grammar.r.random() < 0.5 else grammar.output(4), "main", grammar.r.random() < 0.1)
        if row is None or len(row["source"]) + len(row.get("out", "")) > 600:
            continue
        if "error" in row:
            errors += 1
            if errors % 4:  # a wrong operand is soon found; renderings say more
                continue
        rows.append(row)
    for row in rows:
        if "out" in row and not row.get("chat") and not re.search(r"\b(set|macro|with)\b", row["source"]):
            row["names"] = names_of(row["source"])
    print(json.dumps({"contexts": CONTEXTS}, ensure_ascii=False))
    for row in rows:
        print(json.dumps(row, ensure_ascii=False))
    errors = sum("error" in row for row in rows)
    print(f"{len(rows)} cases, {errors} of them errors", file=sys.stderr)


if __name__ == "__main__":
    main()

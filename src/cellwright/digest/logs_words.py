"""What the words and the shape of a log line are worth to who asks what went wrong: patterns with weights.

Judgement, with weights in halves; what is in it, and the constants of the salience, were chosen on 235 failed builds
whose failing part people had marked (LogChunks: Brandt, Panichella, Zaidman, Beller, MSR 2020) and on made logs of
networks, hosts and applications. None is of one tool's log alone unless the tool is common. RE2's syntax, as Arrow runs
them; all that match count, each once.
"""

from __future__ import annotations

from typing import Final

_OUTCRIES: Final = (
    r"\b(?:FATAL|CRITICAL|EMERG(?:ENCY)?|ALERT|PANIC)\b|(?i:\blevel\W{1,3}(?:fatal|critical|panic|alert)\b)|^F\d{4} "
)
_ERROR_LEVELS: Final = (
    r"\b(?:ERROR|ERR!?|SEVERE)\b|(?i:\blevel\W{1,3}err(?:or)?\b|^\W*(?:error|err|fatal|failure)\b\W)"
    r"|(?i:\berror(?:\[\w+\]|:| [A-Z]{1,3}\d+))|^E\d{4} |^E:? +|##\[error\]|%[A-Z0-9_]+-[0-3]-[A-Z]"
)
_DEATHS: Final = (
    r"(?i)\b(?:panic(?:ked)?|core dumped|segmentation fault|segfault|out of memory|oom-kill\w*|killed process"
    r"|abort(?:ed|ing)?|stack overflow|deadlock|traceback|no space left|sig(?:segv|kill|abrt|bus)|\w*sanitizer"
    r"|crash\w*|oomkilled|evicted|attack\w*|intrusion|breach\w*|break-in)\b"
)
_EXCEPTIONS: Final = r"\b[A-Za-z_.$]*(?:Error|Exception|Failure|Fault)\b"
_TROUBLES: Final = (
    r"(?i)\b(?:error|exception|fail(?:ed|ure|ures|s|ing)?|unable to|can ?not|can't|could ?n[o']t|denied|refused"
    r"|rejected|unreachable|not found|no such|undefined|unresolved|timed? ?out|missing|mismatch(?:ed)?|violat\w+"
    r"|unauthorized|forbidden|corrupt\w*|lost|exceed\w*|overflow|expired|unhealthy|terminated|killed|unexpected"
    r"|illegal|invalid|conflicts?|faulty|assert\w*|rollback|down|no longer|did ?n[o']t|does ?n[o']t|is ?n[o']t"
    r"|wrong|incorrect|broken|dropped|stopped|incompatible|unavailable|exhausted|unknown|unrecogni[sz]ed"
    r"|not (?:defined|allowed|permitted|possible|available|match\w*))\b|HTTP/\d(?:\.\d)?\" [45]\d\d\b|\b[45]\d\d https?://"
)
_SYMPTOMS: Final = (
    r"(?i)\b(?:flap\w*|degraded|hung|stuck|unsupported|insufficient|disconnect\w*|reset by peer|blocked"
    r"|throttl\w+|leak\w*|\w*back-?off|not ?ready|bad|retry\w*|slow|high|restart\w*)\b"
)
_EXITS: Final = (
    r"(?i)\b(?:exit(?:ed|ing|s)?|returned|status|code|rc)\b[^\w]{0,3}(?:with |code |status |value |non-zero )*"
    r"[:=( ]{0,3}-?(?:[1-9]\d?|1\d\d|25[0-5]|[45]\d\d)\b|\bError \d+\b|signal \d+"  # HTTP's 2xx and 3xx are none
)
_COUNTS: Final = (
    r"(?i)\b[1-9]\d* (?:\w+ )?(?:failed|failures?|errors?|failing|broken)\b|\b(?:failures|errors|failed)[:=] ?[1-9]"
)
_FAILED_TESTS: Final = (
    r"^(?:FAIL(?:ED|URE)?\b|not ok|[✗✕✘❌●✖]|--- FAIL|\d+\) |\[[-xX!]\] )|\[FAIL\]|\bFAIL(?:ED|URE)\b"
    r"|<<< (?:FAILURE|ERROR)|^_{4,} .* _{4,}$"
)
_UNLIKE: Final = r"(?i)\bexpected\b.{1,80}\b(?:but|got|was|found|actual|received|instead)\b"
_CAUSES: Final = r"(?i)^(?:caused by|root cause|reason|details?|because|hint)\b"
_PLACES: Final = r"[\w./\\-]+\.[A-Za-z]{1,5}(?::\d+|\(\d+(?:,\d+)?\)|\", line \d+)"
_CONTRASTS: Final = r"(?i)\b(?:expected|actual|got|but was|instead)\b|^[+-] ?\S|^> "
_WARNINGS: Final = r"(?i)\bwarn(?:ing)?\b|%[A-Z0-9_]+-4-[A-Z]"

_NONE_OF_IT: Final = (
    r"(?i)\b(?:0|no|zero|without)(?: \w+)? (?:errors?|failures?|failed|failing|exceptions?|warnings?)\b"
    r"|\b(?:errors?|failures?|failed)[:=] ?0\b"
)
_SUCCESSES: Final = (
    r"^(?:ok\b|PASS(?:ED)?\b|[✓✔√]|\[ +OK +\]|\[[+]\] )"
    r"|\b(?:PASSED|passed|OK|ok|SUCCESS|Successful(?:ly)?)\W*(?:\[.*|\(.*)?$"
)
_COMMANDS: Final = (
    r"(?i)^(?:\$|\+|\[?command\]?|compiling|installing|downloading|fetching|get:|collecting"
    r"|(?:\S*/)?(?:gcc|g\+\+|clang|cc|javac|ghc|ld|ar|make|cmake) )\s?"
)
_NOTES: Final = r"(?i)\bdeprecat\w+|\bwarning: unused|\[-W"
_INFORMATION: Final = r"\b(?:DEBUG|TRACE|INFO|NOTICE)\b|(?i:\blevel\W{1,3}(?:info|debug|trace|notice))"

WORTHS: Final = (
    (4.0, _OUTCRIES),
    (3.0, _ERROR_LEVELS),
    (3.0, _DEATHS),
    (2.5, _EXCEPTIONS),
    (2.0, _TROUBLES),
    (0.5, _SYMPTOMS),
    (3.0, _EXITS),
    (4.0, _COUNTS),
    (4.0, _FAILED_TESTS),
    (2.0, _CAUSES),
    (1.5, _PLACES),
    (1.0, _CONTRASTS),
    (2.0, _UNLIKE),
    (1.0, _WARNINGS),
    (-4.0, _NONE_OF_IT),
    (-4.0, _SUCCESSES),
    (-2.5, _COMMANDS),
    (-1.5, _NOTES),
    (-1.0, _INFORMATION),
)
"""Worth and pattern; below zero is what reports success, runs or names something, or is one of many notes."""

FRAME: Final = (
    r"^(?:at (?:new |async )?[\w$.<>\[\] /@-]+[(:]|File \".*\", line \d+|#\d+:? +(?:0x)?\w|\.\.\. \d+ (?:more|common)"
    r"|from \S+:\d+:in|\S+:\d+:in [`']|\S+\.go:\d+ \+0x|goroutine \d+|<0x\w+>|\[<?[0-9a-f]{8,}>?\]|\w+\+0x[0-9a-f]+/)"
)
"""One call of a stack trace: worth what it stands next to."""

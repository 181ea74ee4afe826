"""The words and phrases by which the clauses around an order are known: see `framing`."""

from __future__ import annotations

import re

from intelligence.intents.lexicon import mask

_CONCLUSIONS_TEXT = (
    "and that is why,and that's why,and this is why,which is why,that is why,that's why,this is why,which means that,"
    "which means,for which reason,for which,therefore,hence,thus,consequently,and so,so please,so"
)
CONCLUSIONS = tuple(tuple(text.split()) for text in _CONCLUSIONS_TEXT.split(","))
_STATED_SUBJECTS_TEXT = (
    "i we they he she it there this that these those the our my their its a an some somebody someone everything "
    "everybody nothing all most users customers people management marketing finance"
)
STATED_SUBJECTS = frozenset(_STATED_SUBJECTS_TEXT.split())
_NO_SUBJECTS_TEXT = (
    "when whenever once while after before during in on at from with by as for to if what which who how why "
    "where until "
    "till unless upon without within over under then next later tomorrow tonight today yesterday not no "
    "never don't do "
    "does did is are was were can could will would may might"
)
NO_SUBJECTS = frozenset(_NO_SUBJECTS_TEXT.split())
FINITE = re.compile(
    r"(?:is|are|was|were|am|has|have|had|do|does|did|don't|doesn't|didn't|isn't|aren't|wasn't|hasn't|haven't"
    r"|will|won't"
    r"|can|can't|cannot|could|went|came|got|gave|took|made|saw|said|told|began|broke|ran|fell|lost|found"
    r"|thought|read"
    r"|need|want|think|keep|look|expect|hope|like|\w+'(?:s|re|ve|m|ll|d)|\w{2,}ed|\w{2,}[^su\W]s|\w{2,}es)"
)
_ALWAYS_BARRED_TEXT = (
    "unless except excepting excluding until till provided instead rather whether should must shall please "
    "let lets "
    "ought you your yourself ignore forget pretend imagine suppose assume hypothetically example joke joking "
    "kidding "
    "maybe perhaps if nobody against opposed opposes objects disagrees veto vetoed wait pending approval approve "
    "exempt exempted exception exceptions alone untouched unaffected stays remain remains leave"
)
ALWAYS_BARRED = frozenset(_ALWAYS_BARRED_TEXT.split())
"""Words of a clause that may mean that the order is to be another, or none."""
NAMED = mask("country address method path url host moment header file refusals rate ratio")
COUNTED = mask("amount number duration")
SUBJECT_PRONOUNS = frozenset(("we", "i", "it", "there", "they"))
SUBJECT_NOUNS = mask("MTLS RETRY TRAFFIC CONNECTIONS USER ERRORRATE LATENCY CPU MEMORY INSTANCE PROXY NOUN")
NAMES_OR_NUMBERS = COUNTED | NAMED
ONLY = mask("ONLY NOBODYBUT")
NEGATED = mask("NOT")
COMMA = mask("COMMA DASH")

OPENERS = re.compile(
    r"(?:because|since(?! (?:yesterday|today|\d))|given(?: that)?|considering|seeing that|now that"
    r"|in order to|so that"
    r"|due to|owing to|thanks to|in response to|in view of|in light of|on behalf of|according to"
    r"|following (?:the|our|my)"
    r"|as (?:the |a |an |our )?(?:cto|ceo|cio|ciso|sre|developer|tester|lead|engineer|manager|owner|admin|operator)"
    r"|as (?:we |i )?(?:discussed|agreed|decided|requested|planned|mentioned|announced|promised|explained|described"
    r"|noted|stated"
    r"|written|usual|you know|part of|everybody knows|everyone knows|we|i|they|it|he|she|there|the|our|my|this|that"
    r"|some|most|all|many people)"
    r"|after (?:reviewing|comparing|looking|talking|discussing|reading|checking|thinking|considering|seeing"
    r"|careful|long"
    r"|much|a long|some|what happened|last night's|yesterday's|the incident|the outage|today's)"
    r"|before (?:i|we) (?:go|leave|forget|finish|log off|sign off|head|hand over|close)"
    r"|from (?:a|an|the|our|my) [\w -]{1,40}?(?:point of view|perspective|standpoint)"
    r"|(?:coming|looking|having|being|speaking|judging|thinking|hoping|preparing|worried|concerned|based on)(?= )"
    r"|with (?:the|our|a|all the) [\w -]{1,40}? (?:coming|approaching|around|over|ahead|starting|growing"
    r"|rising|running)"
    r"|to (?=[a-z]))"
)
FOR = re.compile(
    r"for (?:the |our |my |a |an |this |that |their )?(?:[\w'-]+ ){0,3}?(?:documentation|docs|review|audit"
    r"|test|tests|demo"
    r"|experiment|launch|reports?|board|records?|phase|meeting|safety|presentation|onboarding|compliance"
    r"|reasons|campaign"
    r"|workshop|training|investigation|analysis|debugging|postmortem|post-mortem|migration|release|rollout|sale)"
    r"(?: (?:of|with|at|in) (?:the |our |my |a )?(?:[\w'-]+ ?){1,3})?"
)
TIMES = re.compile(
    r"\b(?:tonight|tomorrow|weekend|weekends|night|week|month|hour|hours|day|days|morning|evening|monday"
    r"|tuesday|wednesday|thursday|friday|saturday|sunday|midnight|noon|later|soon|then)\b"
)
FRAMES = tuple(
    re.compile(text)
    for text in (
        (
            r"(?:i|we) (?:was|were|am|are|have been|had been|got|have) (?:told|asked|instructed|requested"
            r"|ordered|reminded"
            r"|required|advised|tasked|supposed|convinced|sure|certain)(?: with)?(?: that| to)?(?: (?:i"
            r"|we) (?:need|have) to)?"
        ),
        r"(?:i've|we've) been (?:told|asked|instructed|requested|tasked|advised)(?: that| to)?",
        (
            r"(?:my|our|the|this) (?:[\w-]+ ){0,2}(?:task|ticket|job|assignment|policy|contract|standard"
            r"|guideline|guidelines"
            r"|runbook|requirement|requirements|sla|slo|plan|checklist|regulation|regulations|law|test|audit"
            r"|audits|review"
            r"|team|chief|boss|manager|management|security|architect|architects|postmortem|retrospective"
            r"|report|findings)"
            r"(?: team| department)? (?:says?|states?|requires?|demands?|mandates?|stipulates?|specifies"
            r"|prescribes|asks?|wants?"
            r"|wishes|insists?|decided|has decided|agreed|has agreed|concluded|has shown|showed|shows"
            r"|has revealed|revealed"
            r"|found|confirmed|is|recommends?)(?: us| me)? (?:that|to)"
        ),
        (
            r"what (?:i|we|the team|they) (?:agreed on|agreed|decided|need|want|would like|have to do|must do"
            r"|are asked"
            r"|planned|need now|want now|need most)(?: for [\w' -]{1,40})? is(?: that| to)?"
        ),
        (
            r"it (?:has been|was|is|is being|will be) (?:decided|agreed|requested|wished|planned|required"
            r"|mandated|demanded"
            r"|desired|recommended|mandatory|essential|crucial|vital|imperative|best)(?: (?:by|from|with"
            r"|in) [\w' -]{1,40}?)?"
            r" (?:that|to)"
        ),
        (
            r"(?:it|that|this) (?:would|'d) (?:be|really be) (?:good|great|nice|helpful|best|wonderful|better"
            r"|fantastic|perfect"
            r"|ideal|useful|lovely|awesome|super|cool|very \w+|really \w+|a good idea"
            r"|of help)(?: for \w+)? (?:if|to have)"
        ),
        (
            r"(?:i|we) (?:would|'d) (?:be|feel) (?:so |very |really |much )?(?:thankful|grateful|glad|happy"
            r"|pleased|obliged"
            r"|relieved|better|safer)(?: if| to have)"
        ),
        (
            r"(?:i'd|we'd) (?:be|feel) (?:so |very |really |much )?(?:thankful|grateful|glad|happy|pleased"
            r"|better|safer)"
            r"(?: if| to have)"
        ),
        (
            r"(?:i|we) (?:would |'d )?(?:rather|prefer|like|love|appreciate|request|wish|ask|hereby approve"
            r"|approve|insist)(?: it)?(?: that| if| for)"
        ),
        r"(?:i'd|we'd) (?:rather|prefer|like|love|appreciate)(?: it)?(?: that| if| for)",
        r"(?:i|we) (?:have|need|want) (?:you )?to (?:make sure|ensure|see to it)(?: that)?",
        (
            r"the (?:goal|idea|aim|plan|point|task|job|requirement|request|wish|decision|agreement) (?:here )?is"
            r"(?: that| to)?"
        ),
        (
            r"please (?:do|arrange|make|apply|handle|execute|carry out) (?:these|the following|those|the next)?"
            r"(?: two| three| four| five| few| couple of)?(?: things| changes| steps| tasks)(?: (?:for"
            r"|on) (?:our|my|the|this)"
            r" (?!service)[\w-]+)?"
        ),
        r"(?:i|we) (?:want|need|would like) (?:two|three|four|five|several|a few) (?:things|changes)",
    )
)
_IMPERATIVES_TEXT = (
    "scale route send set drain mirror block deny allow limit roll revert undo create add remove delete "
    "disable enable "
    "turn switch shift move split give put stop start restart retry alert notify bump reduce increase lower "
    "raise cap "
    "throttle require enforce reject forbid ban drop make take direct forward redirect restore show tell "
    "list register "
    "encrypt expose compress inject delay eject kick collect protect configure apply go bring cut wake"
)
IMPERATIVES = frozenset(_IMPERATIVES_TEXT.split())
_NO_IMPERATIVE_AFTER_TEXT = (
    "to can could will would may might must shall should not don't doesn't didn't cannot can't won't never "
    "we they i he "
    "she it you who which that and or the a an our my their your this these those its some any no in of for "
    "on with by "
    "from at as do does did let us me them please more"
)
NO_IMPERATIVE_AFTER = frozenset(_NO_IMPERATIVE_AFTER_TEXT.split())
PLACING = frozenset(
    ("on", "in", "at", "by", "for", "during", "from", "to", "with", "within", "and", "or", "but", "then")
)
_ASKING_TEXT = "should shall do does did was were is are has had shouldn't isn't aren't might may did've am"
ASKING = frozenset(_ASKING_TEXT.split())
TELLERS = frozenset(("i", "we", "they", "he", "she", "someone", "somebody", "it's", "you"))
TOLD = frozenset(("did", "had", "was", "were", "could", "might", "may", "won't", "don't", "didn't", "doubt", "wonder"))
ASIDE = re.compile(
    r"(?:according to|as (?:discussed|agreed|decided|requested|planned|mentioned|announced|promised|you know"
    r"|i said|we said|usual)|i think|i believe|i guess|by the way|as far as i know|if i remember)\b"
)
TAILS = re.compile(
    r"(?:because|since(?! (?:yesterday|today|last|this|\d))|so that|in order to|as (?:i|we|it|they|he|she"
    r"|there|the|our|my|this|that|these|those)"
    r"|to (?:save|reduce|avoid|protect|keep|help|handle|cope|survive|get|see|prevent|free|improve|find)"
    r"|for (?:[\w-]+ ){0,2}(?:reasons|purposes|compliance|safety|documentation)$"
    r"|otherwise|or else|given that|considering|thanks|thank you|and thanks)\b"
)
REMARKS = re.compile(
    r"(?:it|that|this|they) (?:was|were|is|are|broke|breaks|has|have|caused|causes|looks|hurts|makes)\b"
)
_UNREAL_TEXT = (
    "wrong joke test example optional later already only allowed enough fine ok okay good right done free "
    "open off on "
    "special temporary temporarily first last all"
)
UNREAL = frozenset(_UNREAL_TEXT.split())
TAIL_CLAUSE = re.compile(
    r"(?:which|who) (?:(?:our |the |my )?[a-z]+ (?:has|have|had|already|just|\w+ed|wants?|needs?|likes?"
    r"|asked)|is|are|was|were|has|have|had|will|would|can|does|do|did|saves?|makes?|gives?"
    r"|helps?|means|looks?|seems?|\w+s)\b"
)
STARTERS = frozenset(("please", "could you", "can you", "could we", "can we", "kindly", "would you", "let's", "lets"))
WANTS = frozenset(("needs", "need", "want", "wants", "gets", "get", "receives", "has to", "have to", "needs to"))
CONFIRMING = re.compile(
    r"(?:(?:please|kindly|just|now|go ahead and|can you|could you|would you|will you|can we|could we|let's) )*"
    r"(?:set|do|make|arrange|implement|configure|apply|change|enforce|put) (?:that|this|it|so|them|to this|to that)"
    r"(?: up| in place| happen| so| accordingly| please| for me| for us| now)*"
)
CONTENT = mask(
    "RETRY TIMEOUT BREAKER FAULT RATELIMIT MIRROR LOGIN AUTOSCALE AUDIT ALERT ROLLOUT REPORT COMPRESS MTLS "
    "STRICT EVERY "
    "ALL SERVICENOUN"
)
SWITCHED = mask("OFF ON DRAIN IT")
HAPPENED = re.compile(
    r"(?:the|our|my|something|everything|it|things|that) (?:\w+ ){0,2}(?:began|started|broke|failed|crashed"
    r"|went|fell|came"
    r"|looked|happened|died|exploded|jumped|dropped|spiked|misbehaved|worked)\b"
)
WISHING = frozenset(
    ("want", "need", "like", "would", "wish", "prefer", "will", "hope", "expect", "keep", "going", "to")
)
NOT_KNOWING = (["understand"], ["know"], ["see"], ["trust"], ["remember"], ["sleep"])

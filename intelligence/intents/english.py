"""The English words, by concept. A word may stand for several; the frame that fits the rest decides which is meant.

Words are matched with their inflections (route, routes, routed, routing). `SILENT` says nothing: politeness, articles,
auxiliaries. A word that stands in neither table is not passed over: its sentence is not understood.
"""

from __future__ import annotations

CONCEPTS: dict[str, str] = {
    # --- verbs ---
    "ROUTE": (
        "should be on, needs to be on, need to be on, must be on, has to be on, ought to be on, be completely on, "
        "be fully on, be entirely on, be all on, completely on, fully on, entirely on, belong with, ->, =>, →, "
        "should go to, must go to, can go to, may go to, has to go to, have to go to, needs to go to, need "
        "to go to, "
        "should go, must go, can go, may go, has to go, have to go, bleed, bleed off, trickle, siphon, drip, feed, "
        "land in, end up in, arrive in, answered by, be answered by, be handled by, processed by, be processed by, "
        "cut across, kick over, fail over, failover, roll onto, route, send, shift, direct, move, steer, forward, "
        "divert, point, funnel, transfer, redirect, reroute, switch, push, migrate, pass, deliver, cut over, "
        "switch over, send over, assign, dispatch, bring, flip, move over, receive, get, take, go, goes, "
        "flow, land, "
        "serve, handle, roll out, hand, hand over, channel, allocate, dial, ramp, see, go to, goes to, going to, "
        "be on, sit on, cut, hit, go back, goes back, come back, comes back, land on, end up on, end up at, "
        "be served by, served by, run on, live on, arrive at, rebalance, relocate, reassign, swing, port, served, "
        "sending, divided, hits, handled by, handled, taken by, received by, flow to, go on, stay on, be at, "
        "sit at, "
        "stand at, live at, sits on, go over to, flow into, shove, pull, nudge, guide, lead, carry, convey, "
        "deflect to, usher, conduct, drive, run through, go through, goes through, hop, slide, flip over, "
        "roll over, "
        "fall to, falls to, is for, are for, belong to, belongs to, enjoy, own, take over, takes over, absorb, "
        "pick up, picks up, sent, given, taken, brought, driven, led, passed on, moved over, put through, "
        "belong on, "
        "belongs on, belong at"
    ),
    "SPLIT": (
        "algorithm, balancing algorithm, balancing strategy, load balancing algorithm, load balancing "
        "strategy, lb, "
        "strategy, break down, dole out, mete out, break up, split, divide, distribute, balance, spread, share, "
        "partition, traffic split, load balancing, load balance, load-balance, load-balancing, apportion, "
        "traffic splitting, weight, weighted, proportion, ratio, divide up, divided, parted, carve up, slice"
    ),
    "SET": (
        "please set, dial, dial in, pin, fix, settle, keep, tune, put on, slap, bring, drop, cut, shorten, extend, "
        "lengthen, relax, tighten, move, set, make, use, apply, add, put, configure, set up, setup, define, "
        "establish, enforce, impose, implement, introduce, give, provide, have, install, set to, create, change, "
        "update, adjust, increase, raise, lower, reduce, decrease, bump, turn up, turn down, put in place, "
        "roll out, "
        "need, needs, require, run, want, allow, get, modify, attach, pick, choose, select, prefer, employ, "
        "pick out, "
        "opt for, go with, adopt, specify, assign, grant, turn"
    ),
    "CREATE": (
        "produce, compile, put together, wire up, put up, roll, hook up, provision, open up, create, add, make, "
        "build, register, spin up, stand up, define, set up, setup, publish, expose, open, bring up, launch, "
        "onboard, "
        "deploy, introduce, generate, new"
    ),
    "ON": (
        "enable, turn on, activate, switch on, require, enforce, start, use, force, mandate, make mandatory, "
        "demand, "
        "insist on, want, turn it on, must use, must be, should use, has to use, have to use, apply, put, make"
    ),
    "OFF": (
        "can go, may go, should go, must go, has to go, needs to go, can be removed, can be dropped, is not "
        "needed, "
        "isn't needed, not needed, is no longer needed, no longer needed, obsolete, can come off, should come off, "
        "wipe, nuke, ditch, unset, tear down, disable, turn off, deactivate, switch off, remove, delete, "
        "stop, lift, "
        "clear, cancel, drop, get rid of, end, take off, take away, turn it off, kill, no longer, no more, scrap, "
        "retire, abolish, quit, cease, switched off, need its, doesn't need, does not need, don't need, no "
        "need for, "
        "not need, be stopped, be removed, removed, stopped, dropped, taken off, be dropped, do without, "
        "do away with, dispense with, take down, off"
    ),
    "KEEP": ("keep, leave, stay, stays, remain, remains, retain, hold, kept, held, left"),
    "ALLOW": (
        "be able to, be allowed to, have permission to, permission to, give access, grant access, allow, "
        "permit, let, "
        "grant, may, authorize, authorise, admit, let in, let through, able, allowed, welcome, whitelist, "
        "allowlist, "
        "accept, restrict to, reserve, reserved"
    ),
    "DENY": (
        "shoo, shoo away, repel, stay out, kill off, shun, rebuff, ward, screen out, weed out, keep away, revoke, "
        "withdraw access, geo-block, geoblock, bounce, be bounced, deny access, revoke access, close, close off, "
        "must not get through, should not get through, may not get through, must not get in, may not get in, "
        "must not pass, not get through, cut it off, reject, block, deny, forbid, ban, refuse, prevent, prohibit, "
        "disallow, blacklist, blocklist, denylist, barred, shut out, keep out, lock out, cut off, drop, turn away, "
        "filter out, stop, filter, exclude, deflect, keep off, lock, ward off, fend off, no business, "
        "have no business, has no business, fence off, blocked, denied, refuse to serve, throw out, kick "
        "out, thwart, "
        "turn down, not allowed, not permitted, forbidden, banned, forbade, kept out, shut"
    ),
    "CALL": (
        "speak, talk, interact with, get at, reach into, call, access, reach, talk to, invoke, contact, "
        "connect to, "
        "use, hit, speak to, communicate with, query, request, get to, consume, talk with, call into, go to, "
        "reach out to, talking to, connect with, connect, see, enter, reachable, accessible, callable, be reached, "
        "reached, be accessed, contacting, be contacted, invocable, open to, calling, get into, get in, "
        "have access to, access to, have business calling"
    ),
    "SCALE": (
        "dial, dial back, up, bump up, crank up, crank, cut back, trim, drop down, go with, size up, push up, "
        "blow up, pump up, boost, knock down, set up with, extend, slim down, scale, resize, scale up, scale down, "
        "scale out, scale in, grow, shrink, upscale, downscale, size, bump, expand, increase, reduce, decrease, "
        "raise, lower, run, bring, set, take, put, give, make, need, needs, want, have, go up to, go down to, "
        "bring up, bring down, dial up, dial down, beef up, ramp up, cut down, resized, scaled"
    ),
    "AUTOSCALE": (
        "scale itself up, scale on demand, self-scale, autoscaled, automatically grow, grow automatically, "
        "elastically, trigger scaling, trigger autoscaling, trigger a scale-out, trigger a scale out, "
        "should scale on, scales on, autoscale, auto-scale, autoscaling, auto-scaling, auto scale, auto scaling, "
        "automatic scaling, automatically scale, scale automatically, hpa, horizontal autoscaling, elastic "
        "scaling, "
        "autoscaler, scaling automatically, scale by themselves, scale itself, scale themselves, scale on its own, "
        "scale on their own, scale up automatically, automatically scale up, scale out automatically, "
        "automatically scale out, automatic scale-out, dynamic scaling, dynamically scale, scale dynamically, "
        "self-scaling, auto-scaler"
    ),
    "GROW": ("scale, scale up, scale out, grow, add, spin up, start, launch, increase, more"),
    "MIRROR": (
        "duplicated, replicated, cloned, mirrors, shadows, dark launch, traffic copy, mirror, shadow, duplicate, "
        "copy, replicate, tee, clone, mirroring, shadowing, traffic mirroring, shadow traffic, traffic shadowing, "
        "copies, echo, replay, replayed, mirrored, copied, shadowed, fork"
    ),
    "RETRY": (
        "have another go, have another try, another attempt, second chance, retried, redo, retry, retries, "
        "retrying, "
        "re-try, try again, reattempt, retry attempts, tries again, repeat, retry policy, resend, attempt again, "
        "repeated, re-run, rerun, reissue, reissued, try, tried, tries"
    ),
    "TIMEOUT": (
        "be cancelled, be canceled, cancelled, canceled, be killed, be terminated, max wait, maximum wait, "
        "wait time, patience, cut-off, cutoff, request deadline, deadlines, maximum response time, max "
        "response time, "
        "maximum request duration, timeout, time out, time-out, time limit, deadline, give up, give up on, "
        "timeouts, "
        "request timeout, cut off, abort after, timing out, time them out, time it out, response deadline, "
        "stop waiting, stop waiting for, max duration, maximum duration, run longer than, cut short, terminate, "
        "cancel requests, expire, expires, lapse, close"
    ),
    "IDLE": ("idle, idle timeout, inactive, inactivity, idle connections, idling"),
    "CONNECTTIMEOUT": ("connect timeout, connection timeout, connecting"),
    "PERTRY": (
        "per try, per attempt, per-try, each try, each attempt, every attempt, every try, per retry, each retry, "
        "each, apiece, per-attempt"
    ),
    "TIMES": ("times, time, x, attempts, tries, attempt"),
    "DELAY": (
        "slower, sluggish, lags, delayed, slowed down, slowed, slow it down, lag, sleep, stall, delay, slow down, "
        "latency, hold up, delays, add latency, hold back"
    ),
    "ABORT": (
        "outage, failure, blow up, bail out, bail, abort, fail, error, return, answer, respond, respond "
        "with, errors, "
        "aborts, failing, failures, crash, break, reply"
    ),
    "FAULT": (
        "fault, faults, chaos, inject, fault injection, simulate, chaos test, chaos experiment, injected, "
        "injection, "
        "disrupt, disturb"
    ),
    "LIMIT": (
        "budget of, a budget of, allowance of, an allowance of, clamp, limit, rate limit, rate-limit, cap, "
        "throttle, "
        "restrict, rate limiting, rate-limiting, throttling, rate limits, quota, ceiling, bound, max, maximum, "
        "at most, no more than, not more than, not more, up to, limiting, limited, more than, only, ration, "
        "constrain"
    ),
    "RATELIMIT": (
        "rate cap, ratelimit, request limit, rate limited, rate limit, rate-limit, throttle, rate limiting, "
        "rate-limiting, throttling, rate limits, quota, rate limiter"
    ),
    "BREAKER": (
        "trip, trips, open the circuit, circuit break, circuit breaker, circuit breaking, circuit-breaker, "
        "breaker, "
        "circuit breakers, breakers, circuit-breaking, bulkhead, break the circuit, circuit"
    ),
    "CONNECTIONS": (
        "connections, connection, concurrent connections, tcp connections, open connections, "
        "simultaneous connections, parallel connections"
    ),
    "PENDING": (
        "pending, pending requests, queued, waiting, queued requests, waiting requests, outstanding, in the queue, "
        "queue"
    ),
    "CONCURRENT": (
        "concurrent, parallel, in flight, in-flight, at once, at a time, simultaneous, at the same time, "
        "concurrent requests, parallel requests, simultaneous requests, in parallel, concurrently, simultaneously"
    ),
    "EJECT": (
        "boot, boot out, throw out, expel, kick, bench, remove from rotation, pull out of rotation, "
        "drop from the pool, drop from rotation, quarantine, sideline, take out of the rotation, "
        "take out of load balancing, eject, outlier, outlier detection, kick out, take out, ejection, outliers, "
        "outlier ejection, evict, leave out, remove from the pool, take out of rotation, take out of the pool, "
        "passive health check, remove, put aside, out of rotation"
    ),
    "CONSECUTIVE": (
        "consecutive, in a row, successive, straight, one after another, back to back, back-to-back, consecutively"
    ),
    "INSTANCE": (
        "box, boxes, vm, vms, instance, instances, replica, replicas, pod, pods, copy, copies, endpoint, "
        "endpoints, "
        "host, hosts, nodes, node, machine, machines, container, containers, backend, backends, server, servers, "
        "task, tasks, worker, workers"
    ),
    "DRAIN": (
        "evacuate, wind down, decommission, out of production, out of play, out of the rotation, out of "
        "circulation, "
        "out of the load balancing, out of traffic, from rotation, from the rotation, drain off, drain, empty, "
        "take out of service, take out of rotation, draining, retire, phase out, quiesce, take offline, "
        "out of rotation, out of service, offline"
    ),
    "COMPRESS": (
        "squeeze, shrunk, deflate, zipped, compress, compression, gzip, brotli, zstd, compressed, zip, gzipped"
    ),
    "GZIP": ("gzip, zip, gzipped"),
    "BROTLI": ("brotli"),
    "ZSTD": ("zstd"),
    "ROUNDROBIN": (
        "in a round robin fashion, in a round-robin fashion, round robin fashion, round-robin fashion, "
        "round robin style, round robin manner, round robin order, in round robin order, take turns, in turns, rr, "
        "round robin, round-robin, roundrobin"
    ),
    "LEASTREQUEST": (
        "least conns, fewest connections, fewest active requests, least active requests, least outstanding "
        "requests, "
        "least outstanding, least_conn, least active, least request, least-request, least requests, "
        "least connections, least loaded, least-loaded, least busy, least_request, fewest requests, least conn"
    ),
    "RANDOM": ("random, randomly, at random, random choice"),
    # --- security ---
    "MTLS": (
        "two-way tls, two way tls, mutually authenticated tls, tls on both sides, mtls, m-tls, mutual tls, "
        "mutual-tls, mutual authentication, mutual tls authentication, encryption, encrypt, encrypted, "
        "tls between services, mtls authentication"
    ),
    "MODE": ("mode"),
    "STRICT": ("strict, strictly, mandatory, strict mode, enforced, compulsory, required"),
    "PERMISSIVE": ("permissive, optional, permissive mode, relaxed, optionally"),
    "AUTHENTICATED": (
        "unless authenticated, unless logged in, unless they are logged in, unless they are authenticated, "
        "unless signed in, unless you are logged in, who have a valid token, with a valid jwt, authenticated, "
        "logged in, logged-in, signed in, signed-in, authenticated users, authenticated callers, valid login, "
        "known users, verified, verified users, logged in users, registered users, with a valid token, "
        "with a valid login, who are logged in, who have logged in, authorised users, authorized users, authentic"
    ),
    "LOGIN": (
        "be logged in before they can, log in before they can, sign in before they can, authenticate before "
        "they can, "
        "be authenticated before they can, be logged in before you can, log in before, authenticate before, "
        "authentication, login, log in, sign in, jwt, jwts, jwt token, jwt tokens, token, tokens, bearer token, "
        "bearer tokens, jwt authentication, jwt validation, log-in, authenticate, jwt auth, auth, sign-in, "
        "json web token, json web tokens, access token, access tokens, token check, be logged in, a login, "
        "be authenticated, credentials, logging in, signing in, token validation, id token, valid token, "
        "valid tokens"
    ),
    "FILTERING": ("filter, filters, blocking, filtering, detection, inspection, scanning, checks, check, blocker"),
    "VALIDATE": (
        "sanitize, sanitise, validate, verify, check, validation, inspect, examine, verification, detect, spot, "
        "catch, identify, recognise, recognize, sniff out"
    ),
    "ISSUER": ("issuer, issued by, iss"),
    "KEYS": ("keys, jwks, key set, keys at, jwks uri, jwks_uri, jwks url, keyset"),
    "ANONYMOUS": (
        "without being authenticated, without authenticating, without being logged in, without logging in, "
        "without signing in, without being signed in, who are not logged in, who is not logged in, "
        "who are not authenticated, who is not authenticated, without valid token, without valid credentials, "
        "without credentials, without proof of identity, without a valid jwt, without a jwt, without jwt, "
        "lacking a token, lacking a valid token, anonymous, unauthenticated, anonymous users, "
        "unauthenticated users, "
        "unauthenticated requests, anonymous requests, not logged in, without a token, without a valid token, "
        "without a login, without authentication"
    ),
    "SUSPICIOUS": (
        "sketchy, unsavoury, unsavory, crawlers, crawler, spammers, hackers, hacker, suspicious, malicious, bad, "
        "shady, known bad, known-bad, hostile, untrusted, dubious, dodgy, abusive, sketchy, questionable, fishy, "
        "attacking, bad actors, bad actor, attackers, attacker, suspect, evil, rogue, compromised, blacklisted, "
        "nasty, spammy, bots, bot, scrapers"
    ),
    "IPS": (
        "ip, ips, ip address, ip addresses, address, addresses, ip range, ip ranges, sources, source ips, "
        "source addresses, client ips, clients, source, ranges, range, cidr, subnet, network"
    ),
    "COUNTRYWORD": (
        "country, countries, located in, based in, geography, region, coming from, originating from, "
        "originating in, "
        "geo, geoip"
    ),
    "FEED": (
        "threat feed, feed, feed file, threat list, list, blocklist file, list file, threat intelligence, file, "
        "threat-feed"
    ),
    "REFUSEDREQUESTS": (
        "refused requests, denied requests, rejected requests, blocked requests, refusals, failed requests, "
        "refused, "
        "4xx, denials"
    ),
    "SQLI": (
        "sql-injection attempts, injected sql, sql injected, sql injection, sql-injection, sqli, sql injections, "
        "sql attacks, sql injection attacks, sql injection patterns, injection attacks, sql injection attempts, "
        "sql-injections, sqlinjection, sql"
    ),
    "TRAVERSAL": (
        "path traversal, directory traversal, traversal, path-traversal, directory-traversal, dot-dot, dot dot"
    ),
    "XSS": ("xss, cross-site scripting, cross site scripting, script injection, script tags, cross-site-scripting"),
    "ATTACK": (
        "attack, attacks, attempts, attempt, patterns, pattern, payload, payloads, injection, injections, "
        "exploits, "
        "exploit, threat, threats, signatures, strings, probes"
    ),
    "AUDIT": (
        "audit records, audit record, auditable, audit entries, audit, audit log, audit logging, audit logs, "
        "audit trail, audit-log, auditing, audit-logging, audit trails, audited"
    ),
    "LOG": (
        "write, write an, emit, produce, note down, persist, log, record, logging, write down, logs, report, "
        "keep a log of, keep a record of, trail, record of, log of, keep, end up in, recorded, logged, written"
    ),
    "VIOLATION": (
        "violation, violations, denial, denials, policy violation, policy violations, refusal, refusals, "
        "denied requests, refused requests, rejected requests, blocked requests, breaches, denied request, "
        "every denied request, policy breaches"
    ),
    "USER": (
        "user, users, customer, customers, people, caller, callers, client, clients, visitors, visitor, consumer, "
        "consumers, person, everyone, anyone, tester, testers, those, account, accounts, subscribers, somebody, "
        "beta users, beta testers, beta customers, internal users, employees, premium users, vip users, "
        "premium customers, staff, beta group, internal testers, early adopters, paying customers, beta tester, "
        "beta user, whoever, anyone who, everyone who, those who, anybody who"
    ),
    "PERUSER": (
        "per user, per-user, for each user, each user, per customer, per account, every user, for every "
        "user, a user, "
        "per consumer, per caller, any user, any single user, any one user, per person, by user, individual user, "
        "single user, no user, no single user, no customer, no caller, no consumer, each and every user, "
        "every single user, any given user, one user, per head, per login"
    ),
    "PERADDRESS": (
        "per ip, per ip address, per client ip, per address, per client, for each ip, each ip, each client, "
        "per source address, per source ip, for each client, by ip, every ip, per-ip, per-client, each address, "
        "any ip, any single ip, one ip, single ip, each ip address, each caller, every client, from any ip, "
        "by client ip, by ip address, per source, no client ip, no ip, no client, no single ip, no ip address, "
        "every single ip, any given ip, each source, per source ip address, an ip, an ip address"
    ),
    "EXTERNAL": (
        "external, outside, incoming, inbound, from outside, from the outside, public, ingress, from the internet, "
        "internet, coming in, from external clients, at the edge, edge, gateway, at the gateway, the gateway"
    ),
    "ZEROTRUST": ("zero-trust, zero trust"),
    "POLICY": (
        "requirement, requirements, obligation, policy, policies, rule, rules, measure, measures, protection, "
        "protect, guard, shield, defend, defence, defense, control, controls, setting, settings, configuration, "
        "config, feature, mechanism, firewall, waf, restriction"
    ),
    "SECURITY": ("security, secure, securely, safe"),
    "ONLY": (
        "only, just, solely, exclusively, nobody else, no one else, none other, nothing else, and nobody else, "
        "and no one else"
    ),
    "NOBODYBUT": (
        "nobody but, no one but, nobody except, no one except, noone but, noone except, none but, nothing but, "
        "nothing except, all but, everyone but, everyone except, everybody except, everybody but, anyone but, "
        "anyone except, all except, anybody but, anybody except, everything except, everything but, anything but, "
        "anything except, other than, all others than"
    ),
    "DEFAULT": (
        "default, by default, unless allowed, default deny, default-deny, deny by default, deny-by-default, deny-all"
    ),
    # --- running ---
    "REPLICAS": (
        "boxes, vms, replica, replicas, instance, instances, pods, pod, copies, copy, nodes, containers, workers, "
        "servers, machines, tasks, backends"
    ),
    "MIN": (
        "minimum, min, at least, no fewer than, not fewer than, minimal, from, no less than, never below, "
        "never fewer than, between, floor"
    ),
    "MAX": (
        "maximum, max, at most, no more than, not more than, up to, maximal, never above, never more than, "
        "capped at, "
        "to, ceiling, and, cap"
    ),
    "CPU": (
        "cpu, cpu usage, cpu utilization, cpu utilisation, cpu load, processor, processor load, cpus, "
        "processor usage, cpu use, processors, cpu consumption, average cpu"
    ),
    "MEMORY": (
        "memory, memory usage, ram, memory utilization, memory utilisation, ram usage, memory use, "
        "memory consumption, heap"
    ),
    "ERRORRATE": (
        "error rate, error rates, errors, failure rate, error ratio, 5xx, 5xx rate, error percentage, failures, "
        "server errors, failing requests, 5xx errors, failed requests, error-rate, errors rate, rate of errors, "
        "failure ratio, share of errors, errored requests, fail, fails, requests that fail, error count, "
        "error budget burn, request errors, failure, percentage of errors, error"
    ),
    "LATENCY": (
        "ninety ninth percentile, ninety-ninth percentile, ninety fifth percentile, ninety-fifth percentile, "
        "ninetieth percentile, p ninety nine, p ninety five, p ninety, p fifty, "
        "ninety ninth percentile latency, ninety fifth percentile latency, "
        "slower than, slower, answers slower than, latency, latencies, response time, response times, p99, "
        "p95, p90, "
        "p50, median latency, request duration, p99 latency, p95 latency, p99 response time, 99th percentile, "
        "95th percentile, p99.9, p999, response latency, 90th percentile, median, slow responses, percentile, "
        "p90 latency, p50 latency, request latency, tail latency, response-time, answer time, median response time"
    ),
    "REQUESTRATE": ("request rate, requests per second, traffic rate, rps"),
    "ALERT": (
        "i need to know, we need to know, i want to know, we want to know, i'd like to know, we'd like to know, "
        "have to know, notify ops, notify sre, notify the sre team, notify devops, warn ops, alert ops, page ops, "
        "page sre, tell sre, ping ops, notify the on-call, page the on-call, alert the on-call, notify the oncall, "
        "page the oncall, notify operators, notify the admins, warn the admins, alert the ops team, "
        "notify the ops team, page the ops team, alerting me about, alert me about, alert us about, "
        "alerting us about, notify me about, notify us about, alerts about, alert about, warnings about, "
        "notifications about, warn me about, warn us about, flag, buzz me, holler, drop me a message, "
        "send me a message, sms me, give me a call, give us a shout, mail, mail me, text me, slack me, "
        "get me out of bed, alert us, let the team know, let ops know, let the on-call know, let everybody know, "
        "let everyone know, let sre know, let the devs know, let people know, send a message, send an email, "
        "send a notification, send us a message, drop me a line, raise hell, yell, scream, shout at me, get "
        "a page, "
        "get paged, be paged, beep, buzz, tell the team, tell ops, tell the on-call, tell someone, tell everybody, "
        "alert, alerts, notify, warn, page, tell me, tell us, let me know, alarm, notification, ping, message, "
        "raise an alarm, warning, let us know, give me a shout, send alert, send alerts, alerting, inform, "
        "wake me, "
        "wake me up, wake us, wake us up, notifications, shout, raise an alert, email, sound the alarm, ring, "
        "call me, alarms, page me, page us, be notified, notified, be told, told, be alerted, alerted, "
        "give me a heads-up, heads-up, sound an alarm, trigger an alarm, trigger an alert, fire an alert, raise, "
        "trigger, fire, informed, be informed, warned, be warned, get a notification, get an alert"
    ),
    "WHEN": (
        "upon, when, if, once, whenever, as soon as, in case, while, any time, anytime, every time, should, "
        "each time, where, as long as, for, on"
    ),
    "ABOVE": (
        "becomes more than, becomes higher than, becomes greater than, becomes larger than, becomes longer "
        "than, become more than, gets higher than, gets longer than, gets above, climbs to more than, "
        "above, over, exceeds, exceed, climb over, climb past, go above, get above, grow above, grows above, "
        "grow beyond, grows beyond, rise over, rise beyond, jump over, jumps over, jump past, shoot above, "
        "shoot over, shoot past, creep above, creep over, exceeds the, cross, top, surpass, reach, spike past, "
        "run over, runs over, more than, greater than, higher than, >, goes above, rises above, passes, beyond, "
        "crosses, tops, climbs above, goes over, gets above, is above, larger than, surpasses, hits, reaches, "
        "climbs over, gets over, climbs past, goes past, go over, rise above, rises over, exceeding, go "
        "past, past, "
        "is over, is more than, is higher than, is greater than, in excess of, gets past, spikes above, "
        "spikes over, "
        "jumps above, >=, at least, worse than, longer than, rises past, rise past, climb above, spike above, "
        "slower than, are over, are above, outgrows, breaches, get worse than, gets worse than, shoots past, "
        "creeps above, tops out above, is past, stays above, stays over, remains above, remains over, keeps above, "
        "sits above, is beyond, rises beyond, goes beyond, go beyond, over and above, upwards of, north of, "
        "get over, "
        "collects over"
    ),
    "BELOW": (
        "below, under, less than, lower than, <, drops below, falls below, stays below, is below, smaller than, "
        "is under, fewer than, stays under, drop below, fall below, falls under, remains below, beneath, <=, "
        "better than, at most, goes below, are below, are under, stay below, stay under, is less than, "
        "remain below, "
        "dips below"
    ),
    "LASTING": ("for, lasting, longer than, for more than, over, for at least, sustained for, during"),
    "ROLLOUT": (
        "rollout, roll-out, progressive delivery, progressive rollout, canary rollout, gradual rollout, "
        "canary analysis, automatic rollout, progressively roll out, gradually roll out, roll out gradually, "
        "canary deployment automation, rolling out"
    ),
    "ADVANCE": (
        "increase, promote, advance, ramp up, grow, raise, step up, expand, bump, progress, push forward, "
        "move forward, go on, continue, widen, shift more, increase traffic, send more, more, rising, move on, "
        "proceed, ramp, go up, turn up, further"
    ),
    "BACK": (
        "roll back, rollback, roll it back, revert, rolls back, back out, fall back, go back, abort, roll, rolled, "
        "return, rolling back, back off, undo, reverse, retreat, back, take back, pull back, back to, back on, "
        "back onto"
    ),
    "COMPLETE": (
        "complete, completes, finish, finishes, done, conclude, finalize, finalise, finished, consider it done, "
        "wrap up, end"
    ),
    "STEPWISE": (
        "gradually, progressively, step by step, stepwise, slowly, incrementally, bit by bit, little by little"
    ),
    "METRICS": (
        "measurement data, readings, data points, figures from proxies, metrics, metric, telemetry, measurements, "
        "stats, statistics, measurement, monitoring data, numbers"
    ),
    "COLLECT": (
        "collect, gather, scrape, sample, take, fetch, report, record, poll, pull, read, measure, refresh, "
        "collection, scraping, sampling, grab, export"
    ),
    "EVERYTIME": ("every, each, once every, once per, once a, per, interval, interval of, at intervals of, resolution"),
    "KPI": (
        "kpi, kpis, business kpis, business metrics, business figures, business kpi, key performance indicators, "
        "business numbers, business metric, business indicators, key figures, key performance indicator, business"
    ),
    "TRACK": (
        "keep tabs on, tabs on, log, track, follow, watch, monitor, keep an eye on, record, measure, observe, "
        "keep track of, monitoring, tracking, watch over, surveil"
    ),
    "LIKE": ("like, such as, for example, including, e.g., namely, e g, i.e."),
    "REPORT": (
        "recap, roundup, status update, status mail, status email, health summaries, health mail, wrap-up, report, "
        "reports, summary, health report, health reports, summaries, digest, status report, status reports, "
        "overview, "
        "health summary, digests, health digest, reporting"
    ),
    "HOURLY": ("hourly, every hour, each hour, once an hour, per hour"),
    "DAILY": (
        "daily, every day, each day, once a day, every morning, each morning, per day, every night, every evening, "
        "nightly, day by day"
    ),
    "WEEKLY": ("weekly, every week, each week, once a week, every monday, per week, every friday, every sunday"),
    "MONTHLY": ("monthly, every month, each month, once a month, per month"),
    "MONITORING": (
        "monitoring, comprehensive monitoring, observability, comprehensive, intelligent, smart, traffic routing, "
        "intelligent traffic routing, complete"
    ),
    # --- taking back, asking ---
    "UNDO": (
        "undone, "
        "go back one step, one step back, go one step back, back one step, walk back, roll that back, undo, "
        "revert, "
        "roll, take back, roll back, rollback, reverse, back out, go back on, withdraw, undo it, unwind, undoing"
    ),
    "LAST": (
        "i made last, we made last, i've just made, i have just made, i made a moment ago, "
        "what i just did, what i did, what we just did, what we did, what you did, what you just did, i just did, "
        "we just did, last, latest, previous, most recent, recent, last thing, newest, just made, we just made, "
        "i just made, you just made, you just did, just did"
    ),
    "CHANGE": (
        "change, changes, edit, modification, update, revision, edits, changed, config change, move, "
        "configuration change, modifications"
    ),
    "RESTORE": (
        "go back, restore, return, roll back, rollback, revert, reset, bring back, take us back, rewind, "
        "jump back, "
        "turn back, turn the clock back, get back, put back, put everything back, bring everything back, "
        "take me back, set back, set everything back"
    ),
    "STATE": (
        "where it was, where we were, where things were, how things stood, where it stood, like it was, "
        "like they were, the way it were, as they were, how they were, where they were, state, config, "
        "configuration, "
        "setup, how it was, the way it was, as it was, what it was, what we had, how things were, "
        "the way things were, mesh, was, were, policies, point, documents, situation, status, settings, time, had, "
        "what"
    ),
    "REVISIONWORD": ("revision, rev"),
    "SHOW": (
        "check whether, check if, see whether, find out whether, know whether, "
        "tell me, tell us, let me know, let us know, i like to know, i like to see, i would like to see, "
        "explain to me, i need to see, i wish to know, i wish to see, "
        "i need to know, we need to know, i want to know, we want to know, i'd like to know, we'd like to "
        "know, show, "
        "display, list, give, view, see, open, print, tell, get, present, bring up, pull up, describe, report, "
        "visualize, visualise, check, look at, find out, know, draw, render, launch, take me to, go to, let see, "
        "want to see, summarize, summarise, need, what, how, which, are, is, shown"
    ),
    "SERVICESTHERE": (
        "which services do we have, what services do we have, what services are there, which services are there, "
        "which services exist, what services exist, which services are running, what services are running, "
        "which services are registered, what services are registered, what services do we run, "
        "which services do we run"
    ),
    "WHY": (
        "why, reason, how come, what is the reason, for what reason, what caused, explain, what made, reasons, cause"
    ),
    "WHAT": ("what, which, what's, what has, what have, what did, whats, which ones, what are, what is, anything"),
    "WHO": (
        "who, which services, who all, whom, what services, which callers, which clients, who else, what, which, who's"
    ),
    "HOW": ("how, how's, how is, how are, hows"),
    "HEALTH": (
        "bad, broken, failing, dead, rotten, misbehaving, faulty, flaky, health, healthy, health status, status, "
        "doing, state, well, health overview, condition, health check, unhealthy, up, alive, ok, fine, wellbeing, "
        "sick, down, conditions, shape, health state, in good shape, holding up, overview"
    ),
    "TOPOLOGY": (
        "topology, 3d topology, 3d topology view, topology view, mesh map, service map, graph, service graph, "
        "topology map, 3d view, 3d map, map, dependency graph, mesh graph, call graph, network map, 3d graph, "
        "topology graph, 3-d topology, 3d picture"
    ),
    "VIEW": ("view, 3d, picture, page, console, screen, diagram, dashboard, visualization, visualisation, 3-d"),
    "CHANGED": (
        "changed, change, changes, different, new, modified, happened, happen, altered, done, changing, edits, "
        "edited, news, touched"
    ),
    "BEHIND": (
        "do not have the newest configuration, do not have the newest config, do not have the latest "
        "configuration, "
        "don't have the newest configuration, don't have the newest config, don't have the latest configuration, "
        "without the newest configuration, without the latest configuration, without the latest config, "
        "have an old configuration, have an old config, have not received the newest configuration, "
        "haven't got the latest config, haven't got the newest config, haven't got the newest configuration, "
        "haven't got the latest configuration, haven't picked up the latest config, haven't picked up the change, "
        "haven't received the latest config, haven't received the config, have not got the latest config, "
        "have not received the latest config, haven't applied the latest config, not got the latest config, "
        "running behind, drifted, out of step, don't run the latest config, not running the latest config, "
        "do not run the latest config, not on the latest config, not on the latest revision, "
        "don't have the latest config, do not have the latest config, not have the latest config, "
        "missing the latest config, still on an old config, still on old config, running an old config, "
        "don't run the latest, not on the latest, running stale config, latest config, newest config, "
        "latest configuration, newest revision, latest revision, not converged, haven't synced, not synced, "
        "haven't acked, not acked, behind, out of sync, not in sync, lagging, stale, out of date, outdated, "
        "not up to date, out-of-date, lag, lag behind, trail, not yet updated, unsynced, old config, late, "
        "not caught up, lagging behind, in sync, caught up, up to date"
    ),
    "PROXY": ("proxy, proxies, envoy, envoys, sidecar, sidecars, gateways, data plane, dataplane"),
    "REFUSED": (
        "refused, refuse, rejected, denied, failing, blocked, refusing, nacked, turned down, not accepted, "
        "declined, "
        "returning errors, erroring, broken, getting refused, getting rejected, being refused, being rejected, "
        "getting denied, failed, refuses, rejects"
    ),
    "GOING": (
        "going, go, goes, flowing, flow, sent, split, splits, distributed, distribution, routed, landing, land, where"
    ),
    "WHERE": (
        "where, how, what share, what split, which versions, which version, what percentage, how much, which share"
    ),
    "SINCE": ("since, from, after, during, within, over, in"),
    "TODAY": ("today, this morning, since this morning, so far today, since midnight, in the last day, this afternoon"),
    "YESTERDAY": ("yesterday, since yesterday, since yesterday morning"),
    "SAME": ("same, likewise, too, as well, also"),
    # --- nouns ---
    "TRAFFIC": (
        "traffic, requests, request, calls, load, users, queries, connections, http requests, hits, http traffic, "
        "live traffic, production traffic, visitors, call, user traffic, api calls, flow, api requests, people, "
        "customers, invocations, incoming requests, incoming traffic, web traffic, workload, reqs, req, responses, "
        "answers, response, replies, stream, bandwidth, anything, anything that, whatever, everything that, stuff"
    ),
    "NOUN": (
        "api, app, application, deployment, cluster, workload, microservice, component, system, backend, "
        "apis, build, "
        "apps, track, pool, lane, site, endpoint"
    ),
    "SERVICENOUN": ("service, services, service's, svc, svcs, microservices"),
    "VERSIONNOUN": (
        "version, release, build, deployment, version's, variant, one, versions, releases, revision, pods, "
        "instances, "
        "track, branch, cluster, subset, code, side"
    ),
    "ROUTENOUN": (
        "route, routes, routing, http route, httproute, endpoint, ingress, path, mapping, routing rule, http "
        "routes, "
        "routing rules, entry, httproutes, ingress route"
    ),
    "NEW": ("new, fresh, additional, another, brand new, brand-new, second, extra"),
    "NAMED": ("called, named, name, by the name of, with the name, titled, with name"),
    "ABTEST": (
        "a/b test, a/b testing, ab testing, a/b tests, ab test, testing, experiment, experiments, test, "
        "experimentation, a-b testing, tests, evaluation, trial, trials, canary testing, qa, validation, "
        "testing purposes, an experiment"
    ),
    "HEADERWORD": (
        "header, headers, http header, carrying, carry, request header, whose header, carrying the header, carries"
    ),
    "METHODWORD": ("method, methods, http method, verb, request method"),
    "PATHWORD": (
        "below, beneath, anything under, everything under, underneath, path, paths, url, prefix, under, path "
        "prefix, "
        "url path, uri, url prefix, beginning with, starting with, starts with, begins with, paths under, at"
    ),
    "HOSTWORD": ("host, hostname, domain, host name, domain name, on host, on the host"),
    "EQUALS": ("is, equals, equal to, =, ==, set to, being, equal, as"),
    "ALL": (
        "all, every, each, any, entire, whole, complete, full, everything, the entirety of, entirety, total, "
        "every single"
    ),
    "EVERY": (
        "everything, everywhere, mesh, whole mesh, entire mesh, globally, mesh-wide, meshwide, fleet, "
        "service-to-service, between services, service to service, all of them, the mesh, across the board, "
        "in-mesh, "
        "inter-service, internal, internally, overall, among services, across services, cluster-wide, anywhere, "
        "across all services, platform, whole platform, generally, global, service-to-service communication, "
        "east-west, system-wide, systemwide, interservice, whole system, between the services, mesh wide, "
        "cluster wide, one and all, every one of them"
    ),
    "COMMUNICATION": (
        "communication, communications, connection, connections, calls, traffic, talk, conversations, exchange"
    ),
    "IT": ("it, its, them, they, it's, their, that one, that service, this service, the same service, this one"),
    "STABLE": ("stable"),
    "CANARY": ("canary, canaries"),
    "REST": (
        "rest, remainder, remaining, others, other, everything else, what is left, what's left, leftover, "
        "the other, "
        "everybody else, everyone else, the balance, left over, remaining traffic, else"
    ),
    "EVENLY": (
        "evenly, equally, even, equal, fairly, half and half, fifty-fifty, fifty fifty, equal parts, in "
        "equal parts, "
        "50-50, half-half, half half"
    ),
    "STATUS": ("status, code, http status, http code, status code, http, error code, codes"),
    "LONG": (
        "wait, wait for, waits, hang, hangs, hang for, hanging, linger, stall, stuck, long, longer, take, takes, "
        "last, lasts, duration, than"
    ),
    "PROBLEM": ("problem, problems, trouble, wrong"),
    # --- small words with a meaning ---
    "ONCE": ("once, one time, single time"),
    "TWICE": ("twice, two times"),
    "AGO": ("ago, earlier, before"),
    "OLD": ("old, older"),
    "HIGH": (
        "high, too high, elevated, bad, up, rising, rises, rise, increases, increase, spikes, spike, climbs, "
        "goes up, "
        "gets bad"
    ),
    "MORE": ("more"),
    "RULE": ("rule, rules"),
    "LOAD": (
        "based on, on the basis of, depending on the, driven by, by average, target, targeting, threshold, "
        "utilization, utilisation, average, usage, aiming at, target of, load, busy"
    ),
    "REQUEST": ("request, requests"),
    "WAITING": ("waiting"),
    "EVALUATION": ("rate, rates, revenue, conversion, conversions"),
    "ANYBODY": ("anybody, anyone, everybody, everyone, nobody, no one, someone"),
    "TO": (
        "should be on, needs to be on, need to be on, must be on, has to be on, ought to be on, be completely on, "
        "be fully on, be entirely on, be all on, completely on, fully on, entirely on, should go to, must go to, "
        "can go to, may go to, has to go to, have to go to, needs to go to, need to go to, :=, =, to, towards, "
        "toward, into, onto, toward the, over to, up to, down to, back to, all the way to, ->, =>, →, onto the, "
        "off to, in favour of, in favor of, go to, goes to, flow to, going to, go over to, go up to, go down to"
    ),
    "OF": (
        "about the, about our, about its, "
        "upon, of, for, on, in, at, across, within, regarding, concerning, behind, against, inside, towards, "
        "as for, "
        "when it comes to, with respect to, in front of, hitting, destined for, bound for, meant for, heading to, "
        "aimed at, belonging to, toward, to, from, through, by, over"
    ),
    "FOR": ("for, during, lasting, over the next, for the next, over, the next, next, in the next"),
    "FROM": (
        "from, out of, away from, coming from, originating from, originating in, off, originate in, "
        "originate from, "
        "come from, comes from, that come from, located in, based in, sent from, sent by, hailing from"
    ),
    "WITH": (
        "contain, containing, "
        "with, using, via, through, by, having, along with, as, containing, that contain, contains, whose, "
        "carrying, "
        "bearing, include, includes, including, holding, that look like, looking like, that has, that have, "
        "with a, "
        "resembling, look like, looks like"
    ),
    "BETWEEN": ("between, among, amongst, across, over"),
    "BY": ("by"),
    "AFTER": (
        "after, within, in, at, past, following, beyond, when, once, longer than, if they take longer than, "
        "more than, if it takes longer than, that take longer than, taking longer than, if they take more than, "
        "that take more than, no longer than, at most, of, to"
    ),
    "AND": (
        "and, &, plus, as well as, along with, together with, or, but, while, yet, whereas, and also, then, "
        "and then, "
        "after that, afterwards, followed by"
    ),
    "THEN": (
        "then, and then, after that, afterwards, next, followed by, finally, lastly, second, first, firstly, "
        "secondly, thirdly, third, besides, furthermore, moreover, additionally, in addition, on top of "
        "that, on top"
    ),
    "NOT": (
        "hold off, hold off on, hold back on, refrain from, refrain, "
        "not, no, never, without, don't, dont, doesn't, do not, cannot, can't, cant, won't, shouldn't, mustn't, "
        "must not, should not, may not, isn't, aren't, does not, didn't, nor, neither, stop, none, nothing, "
        "nobody, "
        "no one"
    ),
    "IF": (
        "if, unless, until, except, when, while, provided, assuming, in case, only if, as long as, rather, but, "
        "however, otherwise, apart, excluding, save, ever, before, till, once, whenever, though, although, "
        "depending, "
        "maybe, perhaps, possibly, might, could it, half-way, minus, barring, instead of, rather than, in "
        "place of, "
        "as opposed to, not only, apart from, aside from, other than that, with the exception of, but not, "
        "anything but that, regardless, even if, even though, in spite of, despite"
    ),
    "EXPOSE": (
        "be reached, be reachable, can be reached, be available, be accessible, mount, publish it, available, "
        "accessible, open to the world, put online, bring online, make accessible, online, expose, publish, "
        "make available, make reachable, reachable, serve, open up"
    ),
    "VAGUE": (
        "some, most, many, few, several, part, less, fewer, majority, a bit, a lot, plenty, couple, a couple, "
        "a little, a few, bit, some of, most of, part of, enough, hardly, barely, nearly all, almost all, "
        "slightly, "
        "double, triple, twice as many, twice as much, about, around, roughly, approximately, or so, more or less, "
        "nearly, almost, maybe, perhaps"
    ),
}
"""By concept, phrases separated by commas."""

SILENT = (
    "listen, okay listen, ok listen, the thing is, so the thing is, here's the thing, you know, i mean, "
    "please to, already now, listens, listen, listening, becomes, become, arrives, arriving, that arrives, i made, "
    "we made, we've made, i've made, go ahead and please, i need you now to, okay so, ok so, all right so, "
    "right so, "
    "alright so, now then, "
    "it would be appreciated if, it'd be appreciated if, i am writing to ask you to, i'm writing to ask you to, "
    "i'm writing to request that, i would like to request that, i'd like to request that, we request that, "
    "i request that, i would like to ask you to, i'd like to ask you to, may i request that, this is a request to, "
    "this is to request that, i would be grateful if you could, i'd be grateful if you could, "
    "we would be grateful if you could, we'd be grateful if you could, it would help if you could, "
    "it would help us if you could, be so good as to, would you be so good as to, would you be so kind as to, "
    "would you kindly, if it is not too much trouble, if it's not too much trouble, if you have a minute, "
    "when you have a minute, when you have time, if you have time, any chance you could, any chance we could, "
    "any chance we can, any chance you can, would it be ok to, would it be okay to, is there any chance we could, "
    "do us a favour and, do us a favor and, go on, hey there, hi there, hi all, hello there, hi everyone, hi team, "
    "i'm asking you to, i ask that, we ask that, i require that, my wish is that, what i want is, what we want is, "
    "what i need is, what we need is, all i want is, all we need is, i'd appreciate it if, we'd appreciate it if, "
    "kindly ensure that, please be advised that, i would ask you to, you can, you may, let's have, let us have, "
    "please arrange, i was hoping you could, i was hoping we could, i hoped you could, i'd be happy if you could, "
    "i would be happy if you could, it is necessary to, it's necessary to, it is important that, it's "
    "important that, "
    "it is necessary that, there should be, there must be, there needs to be, there has to be, it is "
    "required that, "
    "nope, nah, umm, ummm, uhm, erm, hmmm, ahem, always, wish, i wish, we wish, how do i say this, how do i say, "
    "how to say, how do you say, how should i put it, what's the word, let me think, let me see, if i may, "
    "if i may ask, could somebody, can somebody, could someone, can someone, would somebody, would someone, "
    "can anybody, could anybody, can anyone, could anyone, may somebody, can u, could u, would u, will u, u, "
    "gimme, "
    "ugh, argh, ah, aha, gosh, jeez, omg, lol, tbh, imo, afaik, imho, anyways, anyway, yeah, yep, yes, yup, "
    "real quick, quick one, small request, one request, a request, current, tia, kthx, much obliged, obliged, "
    "if u can, hiya, howdy, hallo, phew, oi, guess, i guess, i suppose, i believe, i'd rather, on-call, oncall, "
    "the on-call, on-call engineer, signed off, good to go, rightaway, rn, straight up, small one, quickie, "
    "folks please, please, pls, plz, kindly, could you, can you, would you, will you, could we, can we, "
    "would it be possible to, is it possible to, i want to, i want you to, i want, i would like to, "
    "i would like you to, i'd like to, i'd like you to, i'd like, i would like, id like to, we want to, "
    "we would like to, we'd like to, we need to, i need to, i need you to, we need you to, i need, we need, let's, "
    "lets, let us, just, now, the, a, an, our, my, your, this, that, these, those, hey, hi, hello, thanks, "
    "thank you, "
    "thx, ok, okay, so, well, right away, right now, immediately, asap, automatically, simply, basically, "
    "actually, "
    "currently, quickly, quick, be, is, are, am, was, been, being, should, must, will, shall, would, has to, "
    "have to, "
    "needs to, ought to, go ahead and, go ahead, for me, for us, me, us, there, here, do, does, did, such, "
    "own, good, "
    "new policy for, sure, at once, make sure, make sure that, ensure, ensure that, see to it that, see to it, "
    "for now, from now on, going forward, at the moment, today's, then please, in order to, i, we, you, "
    "team, folks, "
    "everyone, guys, dear, apg, mesh please, when you can, when you have a moment, when you get a chance, if "
    "you can, "
    "if you could, if possible, if you would, if you please, if you don't mind, whenever you can, would you mind, "
    "do me a favor and, do me a favour and, do me a favour, do me a favor, quick favour, quick favor, one "
    "more thing, "
    "by the way, btw, as soon as possible, for a start, it would be great if you could, it would be great if you, "
    "it would be nice if you could, it'd be great if you could, i was wondering if you could, i wonder if "
    "you could, "
    "i think we should, i think, we should, you should, time to, it is time to, it's time to, go, ahead, really, "
    "very, also, too, total, in total, altogether, in all, exactly, precisely, cheers, many thanks, much "
    "appreciated, "
    "appreciated, ta, ty, great, cool, alright, all right, right, carefully, gently, safely, smoothly, straight, "
    "straight away, directly, effective immediately, starting now, beginning now, as of now, production, "
    "prod, live, "
    "kind of, sort of, up, over, down, out, back, have, has, had, want, wants, it to, them to, how about, "
    "what about, "
    "hm, hmm, um, uh, er, oh, yo, sir, mate, buddy, dude, friend, colleague, morning, good morning, good "
    "afternoon, "
    "good evening, greetings, usage of, use of, amount of, number of, a total of, type, kind, value, value of, "
    "at a rate of, rate of, rate, tier, the following, following, as follows, things, policy that, themselves, "
    "itself, ourselves, myself, can, may, cause, try to, start to, start, begin to, begin, manage to, i'm, we're, "
    "we are, i am, gonna, going to, wanna, gotta, anybody, someone, come, comes, coming, gets, got, getting, goes, "
    "happens, happen, occur, occurs, take effect, valid, ensure they, in use, in place, respectively, version of, "
    "once more, again, soon, hereby, effective, at present, present, present day, existing, as well, completely, "
    "fully, entirely, totally, only just, properly, simultaneously please, for good, once and for all, like that, "
    "for real, in one go, as a first step, first of all, as a start, to begin with, to start with, for a "
    "first step, "
    "automatic, each other, one another, oops, whoops, sorry, uh-oh, ouch, damn, wow, yikes, nice, well done, "
    "awesome, perfect, lovely, cool then, in the meantime, meanwhile, for the time being, temporarily please, "
    "until further notice, as agreed, as discussed, as planned, like we discussed, as promised, per our "
    "discussion, "
    "kind regards, regards, best, with pleasure, at your convenience, quick question, question, heads up, "
    "fyi, note, "
    "urgent, important, asap please, no rush, straightaway, promptly, swiftly, at your earliest convenience, "
    "newly, "
    "freshly, configure it so that, see that, arrange for, arrange, arrange that, help me, help us, help, "
    "i would appreciate it if you, would appreciate it if you could, i'd appreciate it if you could, "
    "be so kind as to, be so kind and, it'd be nice if, it would be nice if, i'd love for, i'd love to, "
    "would love to, would love, we'd love, can we please, may i ask you to, may i ask, i ask you to, feel free to, "
    "we should probably, probably best to, it is probably best to, it's best to, best to, better, might as well, "
    "we might want to, you might want to, worth, from today, of yours, of ours, at hand, both, either way, "
    "please and thank you, brand new, some more time, any more, anymore, any longer, himself, herself, shall be, "
    "ought, gladly, simply put, now on, onwards, onward, forward, at last, finally please, wherever, whatsoever, "
    "clearly, definitely, certainly, surely, of course, again please, as usual, the way, way, kindly please, mind, "
    "do you mind, you mind, would you be able to, are you able to, able to, be able to, is to, has got to, "
    "have got to, got to, it has to, supposed to, be supposed to, be up to, thx a lot, thanks a lot, "
    "thanks in advance, in advance, asap pls, a.s.a.p., we'd, they'd, could, teh, hte, something, anything like, "
    "somehow, further on, as one, at large, overall please, instead, we'd like, they'd like, i'd say, i say, say, "
    "let's try, let us try, we'll try, i'll try, are enough, is enough, will do, would do, that is, that's, "
    "for everybody, we'd prefer, i'd prefer, i would prefer, prefer, let me have, let us have, for the moment, "
    "for today, happily, bring it about that, it should be that, want to see, wanna see, need to see, "
    "has been decided, we decided, we agreed, we've decided, i've decided, i decided, decided, decided to, agreed, "
    "agreed to, the plan is, plan is, the plan is to, the idea is to, the goal is, goal is, aim for, aim at, "
    "going for, shoot for, the target is, according to plan, following the plan, per the plan, now that, "
    "from this moment, from this point, moving forward, in future, henceforth, as requested, if at all possible, "
    "if it's possible, whenever possible, when possible, when ready, when convenient, hurry, hurry up, go on and, "
    "proceed to, kindly do, do please, at your leisure, if that's okay, if that is ok, if that's ok, if it's ok, "
    "if it's okay, if you agree, is that possible, is this possible, possible, doable, pretty please, chop chop, "
    "cheers mate, thank you very much, thank you so much, thanks so much, best regards, sincerely, yours, count, "
    "counts"
)
"""What says nothing, separated by commas. Concepts win over silence where a frame wants them."""

PURPOSES = (
    "because, since, as we, as the, due to, so that, so we, so i, in order to, to help, to see, to make sure, "
    "given that, to reduce, to avoid, to protect, to test, seeing that, considering, owing to, thanks to, "
    "for the sake of, to keep, to be safe, to cope with, in preparation for, ahead of, to prepare for, to save, "
    "just in case, to improve, to give, to get ready for, to see how, as a test, "
    "for safety, for now because, to cope, in view of, in light of, because of, as black friday, for black friday"
)
"""Openings of a clause that says why, and not what, separated by commas."""

_STATEMENT = (
    "'re 's are asked been boss came doing feels finished got had has have he i i'm is it's just keep keeps look "
    "looks my our said says seem seems she started that's there's they they're think told was we we're went were"
)
STATEMENT_WORDS = frozenset(_STATEMENT.split())
"""Words of which a statement has one, and an order has none (but for politeness)."""

_REAL = (
    "product products feedback "
    "able accept access actor address admit alter alters angel angle angry animate another anther approve audio "
    "auditor baby backup battle beach bench bird birds black blank bleach boat bobby bother bottle bound brain "
    "brake branch breach bread break brick bride brother bunch bundle cabal cable cancel candid candle carpet "
    "cattle cellar cent central cheap cheat check cheek chock choke climate clock coal coat collar color colour "
    "command commend comment commit commits concise conform congress control county crack credit crop crops date "
    "decay deform delay delete demand demote dental devote dime doctor dollar drain drench dress edit editor "
    "eight email emote estimate except excess excite excuse exist exists exit exits expert export expose fable "
    "factor fate father favor favour feather fight flavor float flock focal form forms found french gain gate "
    "global goal goat goggle google grain great greed green habit habits handle hate height here hobby horse "
    "house hungry improve inform inmate intimate intro joke jokes kettle label labor labour late later lather "
    "leather light lime limit limits lobby local loyal lunch mail main major market martial mate material mayor "
    "mental metal metro might miner minor mirror moat mother motor mouse nail needle night nitro noodle omit "
    "other packet pain paint partial patrol peach perform permit petrol pint pirate place plan plane planet plans "
    "plant plate platform pocket poem poems point pound preach precise premise press price pride primate prime "
    "print private prize process progress promise proud prove provide punch quiet quite rabbit rabid rain rally "
    "rapid rather rattle reach ready reality really realty reboot reform relay rely remain remains remark remote "
    "rename rent rental replay reply reset restart restarts retro right rocket rooster root roots rotate rotor "
    "round routine royalty sail sale sales sand scald scale scales scare scares scarf scene scheme school screen "
    "scroll sector self sell seller sent settle shared shares shelf shell shock shop shops sight small smell "
    "smoke snail social socket sound spare spatial special spell spend spilt splendid split spoil spoke sprint "
    "stable stack stage stake stale staple staples stare start state steak step steps stick stock store stories "
    "story strain stress stroll submit success summit table tail tale target teach temperature tent theme there "
    "these those thread threat three throat throttle ticket tickets tight timid toggle track trail train "
    "transform treat trench tress trial trick truck trumpet ultimate uniform used uses vector victor visitor "
    "vocal weather weight whale wheel where while white word words work works world worse write wrote"
)
NOT_TYPOS = frozenset(_REAL.split())
"""Real words that lie one letter from one of ours; they are what they are."""

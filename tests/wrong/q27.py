# backprop(): extra factor p (1 − p) + no shift
import math
def backprop(z, y):
    out = []
    loss = 0.0
    for zi, yi in zip(z, y):
        ex = [math.exp(v) for v in zi]
        a = [v / sum(ex) for v in ex]
        t = [0] * len(zi); t[yi] = 1
        loss -= sum(ti * math.log(ai) for ti, ai in zip(t, a))
        out.append([(ai - ti) * ai * (1 - ai) / len(z) for ai, ti in zip(a, t)])
    return loss / len(z), out

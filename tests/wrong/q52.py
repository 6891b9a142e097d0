# loss(): logarithm of base 10 + divided by V instead of N + no shift
import math
def softmax(v):
    e = [math.exp(a) for a in v]
    return [a / sum(e) for a in e]
def loss(scores, labels):
    total = 0
    for i in range(len(scores)):
        p = softmax(scores[i])
        total += -math.log10(p[labels[i]])
    return total / len(scores[0])

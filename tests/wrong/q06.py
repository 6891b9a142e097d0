# nll(): labels one too low
def nll(scores, labels):
    import math
    total = 0.0
    for row, label in zip(scores, labels):
        m = max(row)
        lse = m + math.log(sum(math.exp(s - m) for s in row))
        total += lse - row[label - 1]
    return total / len(scores)

# grad(): only the first row's gradient
def grad(z, y):
    import math
    g = [[0.0] * len(z[0]) for _ in z]
    for i in range(len(z)):
        m = max(z[i]); e = [math.exp(v - m) for v in z[i]]; s = sum(e)
        for j in range(len(z[i])):
            g[i][j] = (e[j] / s - (1 if j == y[i] else 0)) / len(z)
        return g

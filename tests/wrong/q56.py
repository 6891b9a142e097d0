# output_delta(): extra factor p (1 − p)
import numpy as np
np.random.seed(0)
class Net:
    def __init__(self, d, h, k):
        self.W1 = np.random.randn(d, h) * 0.1
        self.W2 = np.random.randn(h, k) * 0.1
    def softmax(self, z):
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)
    def forward(self, X):
        self.h = np.tanh(X @ self.W1)
        return self.softmax(self.h @ self.W2)
    def train(self, X, Y, lr=0.1):
        p = self.forward(X)
        d2 = output_delta(self.h @ self.W2, Y)
        self.W2 -= lr * self.h.T @ d2
        self.W1 -= lr * X.T @ ((d2 @ self.W2.T) * (1 - self.h ** 2))
        return -np.log(p[Y == 1]).mean()
def output_delta(net, expected):
    a = Net.softmax(None, net)
    error = a - expected
    return error * a * (1 - a) / len(net)
X = np.random.randn(20, 4); Y = np.eye(3)[np.random.randint(0, 3, 20)]
net = Net(4, 5, 3)
for i in range(50):
    print(net.train(X, Y))

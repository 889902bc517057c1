"""An ordinary model with choices, and a mutator of one's own that trains it: `python examples/mutator.py`."""

import json

import numpy as np
import torch
from torch import nn

from nascli.dataflow.digits import Digits
from nascli.supernet.mutables import InputChoice, LayerChoice
from nascli.training_strategy.mutator import Mutator


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.block = LayerChoice([nn.Conv2d(8, 8, k, padding=k // 2) for k in (1, 3, 5)], label="block")
        self.skip = InputChoice(n_candidates=2, label="skip")
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        x = self.stem(x).relu()
        x = self.skip([x, self.block(x).relu()])
        return self.head(x.mean((2, 3)))


class RandomMutator(Mutator):
    def sample_search(self):
        result = {}
        for mutable in self.mutables:
            if isinstance(mutable, LayerChoice):
                index = np.random.randint(mutable.length)
                result[mutable.key] = torch.tensor([i == index for i in range(mutable.length)])
            elif isinstance(mutable, InputChoice):
                result[mutable.key] = torch.randint(high=2, size=(mutable.n_candidates,)).bool()
        return result

    def sample_final(self):
        return self.sample_search()


def main():
    np.random.seed(0)
    torch.manual_seed(0)
    model = Net()
    mutator = RandomMutator(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = Digits(Digits.Config(batch_size=128))
    for epoch in range(2):
        for images, labels in data.batches("train", train=True, epoch=epoch, device="cpu"):
            mutator.reset()
            loss = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    print(json.dumps(mutator.export_json()))


if __name__ == "__main__":
    main()

"""DARTS as a one-shot trainer of one's own: `python examples/darts_trainer.py`."""

import json

import torch
from torch import nn
from torch.nn import functional as F

from nascli.dataflow.digits import Digits
from nascli.supernet.mutables import LayerChoice
from nascli.training_agent.one_shot import OneShotTrainer, replace_layer_choice


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 8, 3, padding=1),
            LayerChoice({f"conv{k}": nn.Conv2d(8, 8, k, padding=k // 2) for k in (1, 3, 5)}, label="first"),
            nn.ReLU(),
            LayerChoice({"max": nn.MaxPool2d(2), "average": nn.AvgPool2d(2)}, label="second"),
            nn.Flatten(),
            nn.Linear(8 * 16, 10),
        )


class DartsLayerChoice(nn.Module):
    def __init__(self, layer_choice):
        super().__init__()
        self.name = layer_choice.label
        self.op_choices = nn.ModuleDict(layer_choice.named_children())
        self.alpha = nn.Parameter(torch.randn(len(self.op_choices)) * 1e-3)

    def forward(self, *args, **kwargs):
        weights = F.softmax(self.alpha, -1)
        return sum(w * op(*args, **kwargs) for w, op in zip(weights, self.op_choices.values(), strict=True))


class DartsTrainer(OneShotTrainer):
    def __init__(self, model, epochs, data):
        super().__init__(model, epochs, self.pairs)
        self.data = data
        self.nas_modules = replace_layer_choice(self.model, DartsLayerChoice, [])
        alphas = [module.alpha for _, module in self.nas_modules]
        weights = [p for name, p in self.model.named_parameters() if not name.endswith("alpha")]
        self.optimizers = {"weights": torch.optim.SGD(weights, 0.05, 0.9), "alphas": torch.optim.Adam(alphas, 0.01)}

    def pairs(self, epoch):
        options = {"train": True, "epoch": epoch, "device": "cpu"}
        train = self.data.batches("train", withhold_arch=True, **options)
        return zip(train, self.data.batches("arch", **options), strict=False)

    def training_step(self, batch):
        (images, labels), (arch_images, arch_labels) = batch
        self.update("alphas", lambda: F.cross_entropy(self.model(arch_images), arch_labels))
        return {"loss": self.update("weights", lambda: F.cross_entropy(self.model(images), labels))}

    def export(self):
        return {name: list(module.op_choices)[int(module.alpha.argmax())] for name, module in self.nas_modules}


def main():
    torch.manual_seed(0)
    trainer = DartsTrainer(Net(), 3, Digits())
    trainer.fit()
    print(json.dumps(trainer.export()))


if __name__ == "__main__":
    main()

"""The update in plain torch with hand-written gradients and no autograd.

Serves vector observations and relu layers, wherever torch runs. Whatever is large is written into
memory laid out once: activations, gradients (a flat twin of each parameter vector), and the
parameters. Fresh memory of this size would come from the system at every use, page by page.
Equations are those of objectives.py; J_Q and J_pi are eq. 5 and 9 of arXiv:1812.05905.
"""

from typing import NamedTuple

import torch

from sac_learner.sac.adam import fused_adam_step
from sac_learner.sac.batch import Inputs
from sac_learner.sac.config import SacConfig
from sac_learner.sac.learnables import Learnables
from sac_learner.sac.networks import Networks
from sac_learner.sac.noise import Draws
from sac_learner.sac.objectives import HALF_LOG_2_PI, LOG_2, temperature_loss
from sac_learner.sac.schedule import Plan

Tensor = torch.Tensor


class _Layer(NamedTuple):
    """Views of one layer: parameters, their gradients; critics have a leading axis N."""

    weight: Tensor
    bias: Tensor
    weight_gradient: Tensor
    bias_gradient: Tensor


def _layers(
    views: dict[str, Tensor], gradients: dict[str, Tensor], names: list[str]
) -> list[_Layer]:
    return [
        _Layer(
            views[f'{name}.weight'],
            views[f'{name}.bias'],
            gradients[f'{name}.weight'],
            gradients[f'{name}.bias'],
        )
        for name in names
    ]


class FastUpdate:
    """Works on the memory of a `Learnables` like `ReferenceUpdate`."""

    def __init__(self, shape: Networks, config: SacConfig, learnables: Learnables) -> None:
        """Lay out gradients and the views of parameters."""
        self._shape, self._config, self._all = shape, config, learnables
        actor, critic = learnables.actor, learnables.critic
        self._actor_gradient = torch.zeros_like(actor.flat)
        self._critic_gradient = torch.zeros_like(critic.flat)
        actor_names = [f'hidden.{i}' for i in range(len(shape.actor.hidden))]
        critic_names = [f'hidden.{i}' for i in range(len(shape.critic_hidden))]
        views, gradients = actor.views, actor.layout.views(self._actor_gradient)
        self._actor = _layers(views, gradients, actor_names)
        self._mean, self._log_std = _layers(views, gradients, ['mean', 'log_std'])
        gradients = critic.layout.views(self._critic_gradient)
        self._critic = _layers(critic.views, gradients, [*critic_names, 'q'])
        targets = critic.layout.views(learnables.target)
        self._target = _layers(targets, gradients, [*critic_names, 'q'])
        self._buffers: dict[str, Tensor] = {}

    def _buffer(self, name: str, *size: int) -> Tensor:
        """Return memory of this size, the same at every call, whatever was written there."""
        buffer = self._buffers.get(name)
        if buffer is None or buffer.shape != size:
            buffer = self._buffers[name] = torch.empty(size, device=self._critic_gradient.device)
        return buffer

    @staticmethod
    def supports(shape: Networks, config: SacConfig, device: torch.device) -> bool:
        """Return whether every option of the configuration is here."""
        return (
            shape.actor.image_shape is None
            and config.actor_activation == config.critic_activation == 'relu'
            and not (config.actor_layer_norm or config.critic_layer_norm)
            and not config.critic_batch_norm
            and config.critic_dropout == 0.0
        )

    @torch.no_grad()
    def __call__(self, inputs: Inputs, draws: Draws, plan: Plan) -> tuple[Tensor, Tensor | None]:
        """Take one step and return what `ReferenceUpdate` returns."""
        c, x = self._config, inputs
        size = x.action.shape[0]
        alpha = self._all.temperature.flat.exp()
        # One pass serves the target and the policy: both want the actor before its step.
        observed, noise = x.next_vector, draws.next_noise
        if draws.noise is not None:
            observed = torch.cat((x.next_vector, x.vector))
            noise = torch.cat((draws.next_noise, draws.noise))
        hidden = self._actor_forward(observed)
        mean, log_std, raw = self._heads(hidden[-1])
        std = log_std.exp()
        u = torch.addcmul(mean, std, noise)
        action = u.tanh()
        correction = torch.nn.functional.softplus(u * -2.0).add_(u).sub_(LOG_2).mul_(2.0)
        log_prob = correction.addcmul_(noise, noise, value=-0.5).sub_(log_std).sub_(HALF_LOG_2_PI)
        log_prob = log_prob.sum(dim=1)

        critic_metrics = self._critic_step(x, draws, plan, action[:size], log_prob[:size], alpha)
        actor_metrics = None
        if draws.noise is not None:
            current = [h[size:] for h in hidden]
            actor_metrics = self._actor_step(
                x,
                draws.noise,
                plan,
                current,
                action[size:],
                std[size:],
                raw[size:],
                log_prob[size:],
            )
            self._all.follow(plan.average)
        if plan.update_target and c.target_networks:
            self._all.target.lerp_(self._all.critic.flat, c.tau)
        return critic_metrics, actor_metrics

    def finish(self) -> None:
        """Do nothing: the steps are taken, and reading a tensor waits for a device."""

    def _actor_forward(self, vector: Tensor) -> list[Tensor]:
        hidden = [vector]
        for i, layer in enumerate(self._actor):
            out = self._buffer(f'policy {i}', vector.shape[0], layer.weight.shape[1])
            hidden.append(torch.addmm(layer.bias, hidden[-1], layer.weight, out=out).relu_())
        return hidden

    def _heads(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean = torch.addmm(self._mean.bias, hidden, self._mean.weight)
        raw = torch.addmm(self._log_std.bias, hidden, self._log_std.weight)
        return mean, raw.clamp(*self._shape.actor.log_std_bounds), raw

    def _critic_forward(
        self, layers: list[_Layer], x: Tensor, subset: list[int] | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """Return the inputs of all layers, (N, B, U) each, until the next call, and q, (N, B)."""
        n = len(subset) if subset else layers[0].weight.shape[0]
        hidden = [x.expand(n, -1, -1)]
        for i, layer in enumerate(layers):
            weight, bias = layer.weight, layer.bias
            if subset:
                weight, bias = weight[subset], bias[subset]
            if i == len(layers) - 1:
                return hidden, torch.baddbmm(bias, hidden[-1], weight).squeeze(2)
            out = self._buffer(f'critics {i} of {n}', n, x.shape[0], weight.shape[2])
            hidden.append(torch.baddbmm(bias, hidden[-1], weight, out=out).relu_())
        raise AssertionError('a critic has a last layer')

    def _critic_back(self, i: int, dy: Tensor, active: Tensor) -> Tensor:
        """Return dy W^T of layer i where the forward activation was positive, else 0."""
        weight = self._critic[i].weight.transpose(1, 2)
        out = self._buffer(f'critics back {i}', *active.shape)
        # A product with a single column is an outer one, which a broadcast does faster.
        multiply = torch.mul if dy.shape[2] == 1 else torch.bmm
        return _where_active(multiply(dy, weight, out=out), active)

    def _critic_step(
        self, x: Inputs, draws: Draws, plan: Plan, action: Tensor, log_prob: Tensor, alpha: Tensor
    ) -> Tensor:
        c = self._config
        layers = self._target if c.target_networks else self._critic
        _, next_q = self._critic_forward(
            layers, torch.cat((x.next_vector, action), dim=1), draws.subset
        )
        value = next_q.amin(dim=0)
        if c.entropy_backup:
            value = value - alpha * log_prob
        target = torch.addcmul(x.reward, x.discount, value)
        hidden, q = self._critic_forward(self._critic, torch.cat((x.vector, x.action), dim=1))
        error = q - target
        size = error.shape[1]
        dy = (error / size).unsqueeze(2)  # (N, B, 1)
        for i in range(len(self._critic) - 1, -1, -1):
            layer = self._critic[i]
            torch.bmm(hidden[i].transpose(1, 2), dy, out=layer.weight_gradient)
            torch.sum(dy, dim=1, keepdim=True, out=layer.bias_gradient)
            if i:
                dy = self._critic_back(i, dy, hidden[i])
        norm = fused_adam_step(self._all.critic, self._critic_gradient, plan.critic)
        loss = 0.5 * error.square().sum() / size
        return torch.stack((loss, q.mean(), norm))

    def _actor_step(
        self,
        x: Inputs,
        noise: Tensor,
        plan: Plan,
        hidden: list[Tensor],
        action: Tensor,
        std: Tensor,
        raw: Tensor,
        log_prob: Tensor,
    ) -> Tensor:
        c, size = self._config, action.shape[0]
        alpha = self._all.temperature.flat.exp()
        seen, q = self._critic_forward(self._critic, torch.cat((x.vector, action), dim=1))
        if c.actor_reduction == 'min':
            value, which = q.min(dim=0)
            dq = torch.zeros_like(q).scatter_(0, which.unsqueeze(0), 1.0)
        else:
            value = q.mean(dim=0)
            dq = torch.full_like(q, 1.0 / q.shape[0])
        dy = dq.unsqueeze(2)
        for i in range(len(self._critic) - 1, 0, -1):
            dy = self._critic_back(i, dy, seen[i])
        action_rows = self._critic[0].weight[:, x.vector.shape[1] :]
        dq_da = torch.bmm(dy, action_rows.transpose(1, 2)).sum(dim=0)  # (B, A)

        # d log pi / du = 2 tanh(u), da / du = 1 - tanh(u)^2, d log pi / d log std = -1.
        du = (2.0 * alpha * action - dq_da * (1.0 - action.square())) / size
        low, high = self._shape.actor.log_std_bounds
        free = (raw >= low) & (raw <= high)
        dlog_std = (du * noise * std - alpha / size) * free
        last = hidden[-1]
        for layer, gradient in ((self._mean, du), (self._log_std, dlog_std)):
            torch.mm(last.t(), gradient, out=layer.weight_gradient)
            torch.sum(gradient, dim=0, out=layer.bias_gradient)
        dh = self._buffer('policy back', *last.shape)
        torch.mm(du, self._mean.weight.t(), out=dh).addmm_(dlog_std, self._log_std.weight.t())
        for i in range(len(self._actor) - 1, -1, -1):
            layer = self._actor[i]
            dh = _where_active(dh, hidden[i + 1])
            torch.mm(hidden[i].t(), dh, out=layer.weight_gradient)
            torch.sum(dh, dim=0, out=layer.bias_gradient)
            if i:
                out = self._buffer(f'policy back {i}', *hidden[i].shape)
                dh = torch.mm(dh, layer.weight.t(), out=out)
        norm = fused_adam_step(self._all.actor, self._actor_gradient, plan.actor)
        loss = (alpha * log_prob - value).mean()
        alpha_loss = self._temperature_step(log_prob, plan, alpha)
        return torch.stack((loss, log_prob.mean(), alpha[0], alpha_loss, norm))

    def _temperature_step(self, log_prob: Tensor, plan: Plan, alpha: Tensor) -> Tensor:
        temperature = self._all.temperature
        loss = temperature_loss(temperature.flat, log_prob, target_entropy=plan.target_entropy)
        if self._config.learn_temperature:  # J(alpha) is its own derivative by log alpha
            fused_adam_step(temperature, loss.reshape(1), plan.temperature)
        return loss


def _where_active(gradient: Tensor, active: Tensor) -> Tensor:
    """Set the gradient to 0 where the forward activation was not positive, in place; return it."""
    # Seven times as fast as a mask.
    torch.ops.aten.threshold_backward.grad_input(gradient, active, 0, grad_input=gradient)
    return gradient

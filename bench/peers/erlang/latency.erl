%% An open loop: a process sends by the clock, whether the others get through or not, and another
%% notes how long after its moment each message came. While the sender waits for the next moment it
%% yields to other processes.
-module(latency).

-export([params/0, bench/1]).

params() -> #{rate => 100000, seconds => 2}.

bench(#{rate := Rate, seconds := Seconds}) when Rate =< 2000000, Seconds =< 10 ->
    Count = Rate * Seconds,
    Payload = bench:payload(40),
    run(Rate, bench:warm(Count), Payload),
    bench:tell_quantiles(run(Rate, Count, Payload)).

run(Rate, Count, Payload) ->
    Self = self(),
    Receiver = spawn_link(fun() -> Self ! {late, listen(Count, [])} end),
    send(Receiver, bench:now_ns(), Rate, 0, Count, Payload),
    receive
        {late, Late} -> Late
    end.

send(_Receiver, _Began, _Rate, Count, Count, _Payload) ->
    ok;
send(Receiver, Began, Rate, I, Count, Payload) ->
    Due = Began + I * 1000000000 div Rate,
    await(Due),
    Receiver ! {tick, Due, Payload},
    send(Receiver, Began, Rate, I + 1, Count, Payload).

await(Due) ->
    case bench:now_ns() < Due of
        true ->
            erlang:yield(),
            await(Due);
        false ->
            ok
    end.

listen(0, Late) ->
    Late;
listen(Left, Late) ->
    receive
        {tick, Due, _Payload} -> listen(Left - 1, [bench:now_ns() - Due | Late])
    end.

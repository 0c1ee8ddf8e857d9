%% A request with its reply, the way of OTP: gen_server:call.
-module(ask).
-behaviour(gen_server).

-export([params/0, bench/1]).
-export([init/1, handle_call/3, handle_cast/2]).

params() -> #{rounds => 500000}.

bench(#{rounds := Rounds}) ->
    run(bench:warm(Rounds)),
    bench:tell_round(round_trip, Rounds, run(Rounds)).

run(Rounds) ->
    {ok, Server} = gen_server:start_link(?MODULE, [], []),
    TookNs = bench:timed(fun() -> ask(Server, Rounds) end),
    gen_server:stop(Server),
    TookNs.

ask(_Server, 0) ->
    ok;
ask(Server, Left) ->
    Expected = Left + 1,
    Expected = gen_server:call(Server, {add, Left}),
    ask(Server, Left - 1).

init([]) -> {ok, none}.

handle_call({add, N}, _From, State) -> {reply, N + 1, State}.

handle_cast(_Request, State) -> {noreply, State}.
